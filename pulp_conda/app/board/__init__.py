"""The board with buttons, in the API app: who logged in sees a lifecycle, and moves its stages.

It is a client of the REST API, in the same process: what a button does is one request to the same
viewset that other clients use, by the user of the session. So rights, gates, tasks and acts are
those of REST.
"""
