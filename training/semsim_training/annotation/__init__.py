"""Annotators and their judgements: what is judged, in which order, and how far annotators agree.

Annotators are asked on a page (``page``), by contact sheets (``sheets``) or in Label Studio (``label_studio``).
"""
