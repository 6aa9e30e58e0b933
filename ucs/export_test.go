package ucs

import "time"

// SetUDMPatience changes how long a client waits for a lock that UDM keeps.
func SetUDMPatience(c *Client, d time.Duration) { c.udmPatience = d }
