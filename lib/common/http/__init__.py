"""What the API and the hub's app share of HTTP; each app adds only what differs.

    problem_details  what a client is told when it gets no answer (RFC 9457)
    middleware       around every request: trace id, checks of its headers, problem details, one line in the log
    query            the names in a query, bounded and known
    bearer           the token of an Authorization header
    request_body     a body, bounded and timed while it is read
    form             the fields of a multipart form
    json_body        a JSON body, strictly parsed and bounded
    executor         a bounded number of threads and a bounded queue before them
    shares           how many things one client may hold at once
    memory           what is free is given back to the system
    access_log       JSON lines, written by a thread of its own
    description      the OpenAPI description: problems, and one rendering per model
    server           granian with our limits, ports, certificates, shutdown
    redirect         plain HTTP redirected to HTTPS
"""
