"""Worlds of random modules, held against a plain dictionary: ``python -m cim.testing.worlds``.

A life is made from nothing but its seed: the modules (``plan``, ``module``), what people do and what breaks
(``life``). Its log is then judged by an oracle that knows the documents and none of the world's code
(``oracle``, ``settled``); a life that ends wrong is made as small as it can be (``shrink``).
"""
