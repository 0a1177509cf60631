"""No test reaches the network by accident: sockets only connect to this machine.

In the process of the tests and, by way of sitecustomize.py, in the Python processes that they
start. A test that downloads is marked with ``@pytest.mark.network``.
"""
