package dovecot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"strings"
)

// User is what the userdb knows of a user.
type User struct {
	Name string
	// UID and GID are the system user and group that own the mail, as names
	// or numbers.
	UID, GID string
	Home     string
	// Mail is the mail location, "maildir:~/Maildir".
	Mail string
	// QuotaRule is the user's own rule, such as "*:storage=1G", if any.
	QuotaRule string
	// Fields are all fields.
	Fields map[string]string
}

// MailLocation is the location with the home in place of "~" and "%h", which
// a dsync destination needs. It is "" when either is unknown.
func (u User) MailLocation() string {
	if u.Mail == "" || u.Home == "" {
		return ""
	}
	parts := strings.Split(strings.ReplaceAll(u.Mail, "%h", u.Home), ":")
	for i, p := range parts {
		key, value, found := strings.Cut(p, "=")
		if !found {
			key, value = "", p
		} else {
			key += "="
		}
		if value == "~" || strings.HasPrefix(value, "~/") {
			parts[i] = key + u.Home + value[1:]
		}
	}
	return strings.Join(parts, ":")
}

// User looks a user up in the userdb. An unknown one is [ErrNoUser]. That a
// user exists says nothing about mail: Dovecot makes home and INBOX on first
// use, see [Client.Ensure].
//
// The answer may come from the authentication cache, see
// [Client.FlushAuthCache].
func (c *Client) User(ctx context.Context, name string) (User, error) {
	o := lookup(name)
	a, err := c.run(ctx, c.hosts[0], o)
	if err != nil {
		return User{}, err
	}
	return c.userOf(o, a)
}

func lookup(name string) op {
	return op{call: Call{"user", Params{"userMask": []string{name}}}, user: name, again: true, object: true}
}

// userOf reads the answer to a lookup of one user.
func (c *Client) userOf(o op, a answer) (User, error) {
	var users map[string]map[string]string
	if err := json.Unmarshal(a.object, &users); err != nil {
		return User{}, c.malformed(o, err)
	}
	for n, f := range users { // the name as the server writes it, which may differ in case
		mail := f["mail"]
		if p := f["mail_path"]; mail == "" && p != "" { // 2.4
			mail = cmp.Or(f["mail_driver"], "maildir") + ":" + p // the configuration's driver is not told
		}
		if f["user"] != "" { // 2.4 repeats the name that was asked for, and tells its own here
			n = f["user"]
		}
		return User{Name: n, UID: f["uid"], GID: f["gid"], Home: f["home"], Mail: mail, QuotaRule: f["quota_rule"],
			Fields: f}, nil
	}
	return User{}, c.malformed(o, errors.New("no user in the answer"))
}

// Exists reports whether the userdb knows the user.
func (c *Client) Exists(ctx context.Context, name string) (bool, error) {
	_, err := c.User(ctx, name)
	if isKind(err, ErrNoUser) {
		return false, nil
	}
	return err == nil, err
}

// Users lists the names of the users that match a mask with * and ?, in the
// server's order; "*" lists all. Whether the userdb can be listed depends on
// its driver; for LDAP it needs iterate_attrs and iterate_filter.
func (c *Client) Users(ctx context.Context, mask string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		o := op{call: Call{"user", Params{"userMask": []string{mask}}}, subject: mask, again: true, object: true}
		if !strings.ContainsAny(mask, "*?") {
			yield("", o.refuse("a mask needs * or ?; for one user call User"))
			return
		}
		a, err := c.run(ctx, c.hosts[0], o)
		if err != nil {
			yield("", err)
			return
		}
		var list struct {
			UserList []string `json:"userList"`
		}
		if err := json.Unmarshal(a.object, &list); err != nil {
			yield("", c.malformed(o, err))
			return
		}
		for _, name := range list.UserList {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// FlushAuthCache makes every host forget what it has cached of the users'
// passwords and userdb fields, so that a change in the directory (a new user,
// another quota, a locked password) takes effect at once. Unknown users are
// cached too (auth_cache_negative_ttl, an hour by default). It reports how
// many entries went.
//
// Dovecot 2.4 is [ErrUnsupported], and nothing is sent: 2.4.1 has no answer to this
// command over HTTP. Its entries live as long as auth_cache_ttl and auth_cache_negative_ttl say;
// keep these short there. The methods that flush by themselves go on without.
func (c *Client) FlushAuthCache(ctx context.Context, users ...string) (int, error) {
	if len(users) == 0 {
		return 0, refuse("authCacheFlush", "", "", "no users given")
	}
	for _, u := range users {
		if err := checkUser(u); err != nil {
			return 0, refuse("authCacheFlush", u, "", "%w", err)
		}
	}
	o := op{call: Call{"authCacheFlush", Params{"user": users}}, again: true}
	if len(users) == 1 {
		o.user = users[0]
	}
	info, err := c.Server(ctx)
	if err != nil {
		return 0, err
	}
	if info.Series != "2.3" {
		return 0, &Error{Op: "authCacheFlush", User: o.user, Host: c.hosts[0].name, Kind: ErrUnsupported}
	}
	var total int
	err = c.everywhere(ctx, o, func(_ *host, a answer) error {
		for _, r := range a.rows {
			n, err := number[int](r, "entries")
			if err != nil {
				return err
			}
			total += n
		}
		return nil
	})
	return total, err
}

// forget is FlushAuthCache where the server has it.
func (c *Client) forget(ctx context.Context, users ...string) error {
	_, err := c.FlushAuthCache(ctx, users...)
	if isKind(err, ErrUnsupported) {
		return nil
	}
	return err
}
