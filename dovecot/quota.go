package dovecot

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
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
// quota plugin the server does not know the command: [ErrUnsupported]. To set a
// limit see [Client.SetQuota].
func (c *Client) Quota(ctx context.Context, user string) ([]Quota, error) {
	o := userOp("quotaGet", user, "", nil).repeatable()
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, err
	}
	return c.quotas(o, rows)
}

func (c *Client) quotas(o op, rows []ResultRow) ([]Quota, error) {
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

// quotaKey is where a dict keeps a user's storage limit, in KiB: the key that
// the quota plugin's own quota_set writes.
const quotaKey = "priv/quota/limit/storage"

// SetQuota sets a user's storage limit, in bytes, of which the server keeps
// whole KiB, rounded up; 0 means none. It then makes the hosts forget the old
// one and reads the limit in force: another one is [ErrQuotaDiffers].
//
// doveadm has no command for this. What there is, is a dict that the site's
// userdb reads limits from and that doveadm can write, [Options.QuotaDict]; the
// package comment shows a configuration. Without one, which is the rule where
// users and their limits are in LDAP, or when the dict is not in the server's
// configuration, the answer is [ErrUnsupported]: write the limit to the
// directory then, and let [Client.Ensure] wait for it. A dict that does not work
// at the moment is [ErrTemporary].
//
// The limit is written at every host, with the same value, so that each may
// have a dict of its own. Repeating it is harmless. Dovecot 2.4.1 forgets nothing
// when asked over HTTP: let the userdb that reads the dict have use_cache = no there,
// or the old limit, and with it [ErrQuotaDiffers], stays until auth_cache_ttl is over.
func (c *Client) SetQuota(ctx context.Context, user string, limit int64) error {
	p := Params{"key": quotaKey, "value": strconv.FormatInt((limit+1023)>>10, 10)}
	o := userOp("dictSet", user, quotaKey, p).repeatable()
	switch {
	case limit < 0:
		return o.refuse("negative quota")
	case strings.Contains(user, "/"):
		// A dict of files makes a path of it, and "../" leads out of the dict.
		return o.refuse("user name contains /")
	case c.quotaDict == "":
		return &Error{Op: "dictSet", User: user, Kind: ErrUnsupported, Err: errors.New("Options.QuotaDict is not set: " +
			"limits are what the userdb says, quota_rule or with Dovecot 2.4 quota_storage_size, or the configuration")}
	}
	if err := o.check(); err != nil {
		return err
	}
	info, err := c.Server(ctx)
	if err != nil {
		return err
	}
	switch params := info.Commands["dictSet"]; String {
	case params["dictUri"]:
		p["dictUri"] = c.quotaDict
	case params["filterName"]: // 2.4
		p["filterName"] = c.quotaDict
	default:
		return &Error{Op: "dictSet", User: user, Host: c.hosts[0].name, Kind: ErrUnsupported,
			Err: errors.New("the server has no command for dicts: set the limit where the userdb reads it")}
	}
	// dictSet asks no userdb and would make an entry for anybody.
	u, err := c.User(ctx, user)
	if err != nil {
		return err
	}
	p["user"] = u.Name // userdb and cache know no other, whatever case was given
	if err := c.everywhere(ctx, o, func(*host, answer) error { return nil }); err != nil {
		return c.dictFailure(ctx, err)
	}
	if err := c.forget(ctx, u.Name); err != nil {
		return err
	}
	quotas, err := c.Quota(ctx, user)
	if err != nil {
		return err
	}
	if !(State{Quota: quotas}).quotaIs(limit) {
		return c.quotaDiffers(user, limit, quotas)
	}
	return nil
}

// dictFailure tells a dict that the configuration does not have from one that
// does not work: both answer exit code 75, and only the log knows.
func (c *Client) dictFailure(ctx context.Context, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != ErrTemporary {
		return err
	}
	// The server's clock may differ a little.
	lines, _ := c.LogErrors(ctx, time.Now().Add(-2*time.Minute))
	name := c.quotaDict[strings.LastIndexByte(c.quotaDict, ':')+1:]
	for _, l := range lines {
		if l.Host == e.Host && (strings.Contains(l.Text, "Unconfigured dictionary name '"+name+"'") ||
			strings.Contains(l.Text, "dict_init("+c.quotaDict+") failed") ||
			strings.Contains(l.Text, "dict { .. } named list filter is missing")) { // 2.4, which tells no name
			e.Kind, e.Err = ErrUnsupported, fmt.Errorf("dict %q is not in the server's configuration", c.quotaDict)
			break
		}
	}
	return err
}

func (c *Client) quotaDiffers(user string, limit int64, have []Quota) error {
	return &Error{Op: "quotaGet", User: user, Host: c.hosts[0].name, Kind: ErrQuotaDiffers,
		Err: fmt.Errorf("want %d bytes, have %s", limit, limits(have))}
}

// RecalcQuota makes the server count the user's mail anew, as after files
// were changed behind its back.
func (c *Client) RecalcQuota(ctx context.Context, user string) error {
	return c.exec(ctx, userOp("quotaRecalc", user, "", nil).repeatable())
}
