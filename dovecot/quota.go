package dovecot

import (
	"context"
	"fmt"
	"strconv"
)

// Quota is one quota root of a user.
type Quota struct {
	Root string // its name in the configuration, "User quota"
	// StorageUsed and StorageLimit are in bytes, with the server's
	// granularity of 1 KiB; the limit is 0 when there is none.
	StorageUsed, StorageLimit int64
	// MessagesUsed and MessagesLimit count messages; 0 as limit means none.
	MessagesUsed, MessagesLimit int64
}

// Quota returns the quota roots of a user, in the server's order. Without the
// quota plugin the server does not know the command: [ErrUnsupported].
//
// doveadm has no command to set a limit. It comes from the userdb (quota_rule,
// for UCS an attribute in LDAP) or from the configuration: write it there,
// call [Client.FlushAuthCache], and read it here; [Client.Ensure] does the
// last two.
func (c *Client) Quota(ctx context.Context, user string) ([]Quota, error) {
	o := userOp("quotaGet", user, "", nil).repeatable()
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, err
	}
	return c.quotas(o, rows)
}

func (c *Client) quotas(o op, rows []Row) ([]Quota, error) {
	var roots []Quota
	for _, r := range rows {
		if len(roots) == 0 || roots[len(roots)-1].Root != r["root"] {
			roots = append(roots, Quota{Root: r["root"]})
		}
		q := &roots[len(roots)-1]
		used, err := quotaValue(r["value"])
		if err != nil {
			return nil, c.malformed(o, err)
		}
		limit, err := quotaValue(r["limit"])
		if err != nil {
			return nil, c.malformed(o, err)
		}
		switch r["type"] {
		case "STORAGE":
			q.StorageUsed, q.StorageLimit = used<<10, limit<<10
		case "MESSAGE":
			q.MessagesUsed, q.MessagesLimit = used, limit
		}
	}
	return roots, nil
}

func quotaValue(s string) (int64, error) {
	if s == "-" || s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<50 {
		return 0, fmt.Errorf("quota value %q", s)
	}
	return n, nil
}

// RecalcQuota makes the server count the user's mail anew, as after files
// were changed behind its back.
func (c *Client) RecalcQuota(ctx context.Context, user string) error {
	return c.exec(ctx, userOp("quotaRecalc", user, "", nil).repeatable())
}
