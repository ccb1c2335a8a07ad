"""What users do, in terms of core and models; no host here."""
