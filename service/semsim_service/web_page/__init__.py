"""The pages that the service gives to browsers: one to try it at ``/``, and its documentation at ``/docs``.

They are plain HTML, CSS and JavaScript below ``static``, without a build step. They load nothing from elsewhere, and
hold nothing private: whoever may reach the service may see them.
"""
