Made publishing large channels nearly twice as fast, with less memory.
