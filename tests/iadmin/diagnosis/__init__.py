"""The rules behind `iadmin doctor`."""
