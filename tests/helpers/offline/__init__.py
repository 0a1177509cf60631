"""No test reaches the network by accident: sockets connect to this machine alone.

In the process of the tests and, by way of sitecustomize.py, in the Python processes that they
start. A test that fetches says so: ``@pytest.mark.network``.
"""
