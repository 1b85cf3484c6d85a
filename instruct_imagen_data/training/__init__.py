"""How the embedded networks are made: trained on the planted corpus by one recorded command."""
