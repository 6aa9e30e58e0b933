package ucs

import (
	"context"
	"time"
)

// SetUDMPatience changes how long a client waits for a lock that UDM keeps.
func SetUDMPatience(c *Client, d time.Duration) { c.udmPatience = d }

// Search is a search that a snapshot consists of.
type Search struct {
	Base, Filter string
	Attributes   []string
}

// SnapshotSearches are the large searches of a snapshot.
func SnapshotSearches(ctx context.Context, c *Client) []Search {
	d, err := c.load(ctx)
	if err != nil {
		return nil
	}
	var out []Search
	names, err := c.namesQuery(ctx, d)
	if err != nil {
		return nil
	}
	for _, q := range []query{c.classQuery(d), c.oldClassQuery(d), c.accountQuery(d), c.retiredQuery(d), names} {
		out = append(out, Search{q.base, q.filter, q.attrs})
	}
	return out
}
