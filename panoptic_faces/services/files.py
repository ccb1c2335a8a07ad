"""What may go into the folder of each person of an export; apart, so that a form can list it without the writers."""

SAVE = ("crops", "photos", "links", "none")
