package dovecot

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

var _ schoolmail.MailboxMover = (*Mailstore)(nil)

// MoveMailbox brings the mail of somebody who was renamed under the new login, where the
// home follows from the login: as [Client.MoveMail], but the userdb need not know the old
// login any more. The old home is that of the new login with the old names, or what MD5,
// SHA-1 or SHA-256 make of them, in place of the new ones in whole parts of the path below
// Options.MailRoot, and their first letters in directories that spread homes (%1n).
// The old home stays as it was: mail is copied out of it, and nothing is deleted. Done
// again, what has come to the old home since is copied, too.
//
// Where the home does not follow from the login and is there, such as one with a number,
// nothing is to be moved; nor is there where the old home is gone, for instance because the
// server has moved it itself. Where that cannot be told it is [ErrInvalid], and for a
// person to find out: no old home is found and the path has a part that may be a hash of
// the login (%H, %N), or the home that does not follow from the login is not there. A home
// of nothing but such a hash looks as one with a number.
func (m *Mailstore) MoveMailbox(ctx context.Context, before, after schoolmail.Account) error {
	from, to := m.login(before), m.login(after)
	if from == to || from == "" {
		return nil
	}
	if err := m.c.forget(ctx, from, to); err != nil {
		return err
	}
	target, err := m.c.User(ctx, to)
	if err != nil {
		return err
	}
	now := target.MailLocation()
	if now == "" {
		return refuse("sync", to, "", "the home or the mail location of the new login is not known")
	}
	r := renamed{root: m.c.mailRoot, from: to, to: from} // back to what it was
	var was []User
	for _, r.spread = range []bool{true, false} {
		u := User{Name: from, Home: r.path(target.Home), Mail: r.location(target.Mail)}
		if u.MailLocation() == now {
			continue
		}
		found, err := m.c.anyThere(ctx, u)
		if err != nil {
			return err
		}
		if found {
			return m.c.carry(ctx, from, u.MailLocation(), to)
		}
		was = append(was, u)
	}
	if len(was) > 0 {
		if !slices.ContainsFunc(paths(target), r.mayBeHashed) {
			return nil // there is no such home, or not any more
		}
		return refuse("sync", to, was[0].Home, "no home of the old login is found, and this one has a directory that may "+
			"follow from the login in a way not known here: move the old home to this path, or make an empty directory "+
			"there if there is none, and do it again")
	}
	found, err := m.c.anyThere(ctx, target)
	if err == nil && !found {
		err = refuse("sync", to, target.Home, "the home does not hold the login and is not there, so that it cannot be "+
			"told where the mail of the old login is: move the old home to this path, or make an empty directory there if "+
			"there is none, and do it again")
	}
	return err
}

// paths are the places of a user: home and what the mail location names.
func paths(u User) []string {
	list := []string{u.Home}
	for _, p := range strings.Split(u.MailLocation(), ":") {
		if _, value, found := strings.Cut(p, "="); found {
			p = value
		}
		if path.IsAbs(p) {
			list = append(list, p)
		}
	}
	return list
}

// anyThere reports whether one of the places of a user is there.
func (c *Client) anyThere(ctx context.Context, u User) (bool, error) {
	for _, p := range paths(u) {
		if found, err := c.stat(ctx, c.hosts[0], p); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// renamed puts one login in place of another in paths.
type renamed struct {
	root     string // in which nothing follows from a login
	from, to string
	spread   bool // directories with the first letters follow, too
}

// location is path for each path of a mail location.
func (r renamed) location(mail string) string {
	parts := strings.Split(mail, ":")
	for i, p := range parts {
		key, value, found := strings.Cut(p, "=")
		if found {
			parts[i] = key + "=" + r.path(value)
		} else {
			parts[i] = r.path(p)
		}
	}
	return strings.Join(parts, ":")
}

// below splits a path into the root, if it lies there, and the parts below.
func (r renamed) below(p string) (root string, parts []string) {
	if r.root != "" && isWithin(p, r.root) {
		root = path.Clean(r.root)
	}
	return root, strings.Split(strings.TrimPrefix(p, root), "/")
}

func (r renamed) path(p string) string {
	fromName, fromDomain, _ := strings.Cut(r.from, "@")
	toName, toDomain, _ := strings.Cut(r.to, "@")
	root, parts := r.below(p)
	at := -1 // where the name is
	for i, part := range parts {
		if part == "" {
			continue
		}
		if n := slices.Index(forms(r.from), part); n >= 0 {
			parts[i], at = forms(r.to)[n], i
		} else if n := slices.Index(forms(fromName), part); n >= 0 {
			parts[i], at = forms(toName)[n], i
		} else if part == fromDomain {
			parts[i] = toDomain
		}
	}
	for i := 1; r.spread && i < at; i++ {
		if n := len(parts[i]); n > 0 && n <= 2 && strings.HasPrefix(fromName, parts[i]) && n <= len(toName) {
			parts[i] = toName[:n]
		}
	}
	return root + strings.Join(parts, "/")
}

// forms are what a name may look like in a path.
func forms(name string) []string {
	m, s1, s256 := md5.Sum([]byte(name)), sha1.Sum([]byte(name)), sha256.Sum256([]byte(name))
	return []string{name, hex.EncodeToString(m[:]), hex.EncodeToString(s1[:]), hex.EncodeToString(s256[:])}
}

// mayBeHashed reports whether a path has a part of which it cannot be told whether it
// follows from the login: short ones but first letters, and up to eight hexadecimal digits.
func (r renamed) mayBeHashed(p string) bool {
	name, _, _ := strings.Cut(r.from, "@")
	_, parts := r.below(p)
	return slices.ContainsFunc(parts, func(part string) bool {
		return part != "" && part != "~" && len(part) <= 8 && part != name && !strings.HasPrefix(name, part) &&
			(len(part) <= 2 || strings.Trim(part, "0123456789abcdefABCDEF") == "")
	})
}
