"""Many people's requests on one base: exchange, queue, step loop, and the process they run in.

Not for: what a request's picture is, which generate/ alone decides. Importing this imports no torch.
"""
