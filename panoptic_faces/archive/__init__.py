"""Archives of millions of photos: the work of ``services`` cut into pieces that Dask gives to many machines."""
