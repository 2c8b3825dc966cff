"""Archives of medical images (PACS) over DICOMweb and DIMSE: look up, fetch, store, receive."""
