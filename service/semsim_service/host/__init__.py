"""The service under BentoML: what its processes set up, check and claim before they serve.

``hosting`` has BentoML's options and the set-up at the import of the service, ``preflight`` checks what a start needs,
``process`` tells the server's processes apart, ``home`` finds and locks BentoML's directory, ``interpreter`` tunes a
worker, and ``bentoml_faults`` takes out what BentoML does to every request for nothing. ``supervision`` lets BentoML
replace dead workers, ``worker_watch`` knows of them, ``deaths`` tells of each, ``supervised`` ties a worker to its
supervisor, and ``memory_need`` adds up what the settings may take.
"""
