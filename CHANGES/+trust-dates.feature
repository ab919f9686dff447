Added ``trust_dates`` to remotes: whether the rule ``minimum_age`` of gates believes the dates of an upstream. The summary of the gate says how many packages passed only by such a date.
