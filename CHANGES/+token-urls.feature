Tokens can stand in the URL of a channel as ``/t/<token>/``, both before the whole path and behind the prefix of the content app.
