`<content app>/-/health` tells a load balancer whether a process can answer for channels: 200, or 503 without its database or before its migrations (CND0161).
