"""Whatever fulfils a contract: OCR, PDF, embedding, sentiment.

Nothing here is imported by `import cim`: only the composition root does, for the
providers that a machine names.
"""
