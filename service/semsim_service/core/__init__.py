"""The core that every transport calls: it admits a request, decodes its pairs, batches their images and answers.

``schemas`` has the JSON of requests and answers, ``received`` the pairs as transports hand them over, ``scoring`` the
core itself, and ``metrics`` its counters.
"""
