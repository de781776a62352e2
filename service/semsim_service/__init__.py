"""The scoring service, hosted by BentoML. It never imports torch.

Its rooms from the ground up: ``settings``; ``access`` (token, addresses, certificates); ``core`` (a request from its
pairs to its answer); ``observing`` (logs and traces); ``web_page`` (for browsers); ``http`` and ``grpc_transport`` (the
transports); ``host`` (the processes under BentoML). ``service`` puts these together, and ``serve_command`` is `semsim
serve`.
"""
