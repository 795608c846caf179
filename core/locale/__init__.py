"""The catalogues: `waggle.pot` with every text in English, and a folder for each translation."""
