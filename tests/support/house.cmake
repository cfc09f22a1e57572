# fob_test (NAME SOURCE [LABELS l...] [LIBRARIES lib...] [CASES c...])
