package ucs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// Guards against UDM and UCS@school's importer, which work on the same
// directory at the same time; see Options.BesideUDM.

// udmLock is how long a lock of ours lasts if nobody removes it. UDM's own last
// five minutes; ours is needed for a second.
const udmLock = 30 * time.Second

// The containers of UDM's locks below cn=temporary,cn=univention.
const (
	lockUsername = "uid"
	lockAddress  = "mailPrimaryAddress"
	lockOfGroups = "groupName"
)

// value is something that UDM locks.
type lockedValue struct{ kind, value string }

func (v lockedValue) dn(d *domain) string {
	return "cn=" + ldap.EscapeDN(v.value) + ",cn=" + v.kind + ",cn=temporary,cn=univention," + d.base
}

// lockForUDM takes UDM's locks on values, as UDM does before it looks whether a
// value is free: whoever has the lock may look and add. It returns what gives
// them back. Without Options.BesideUDM it does nothing.
func (c *Client) lockForUDM(ctx context.Context, d *domain, values ...lockedValue) (unlock func(), err error) {
	var have []lockedValue
	unlock = func() {
		for _, v := range have {
			if err := c.remove(context.WithoutCancel(ctx), v.dn(d)); err != nil {
				c.opts.Logger.DebugContext(ctx, "ucs: a lock stays until it expires", "error", err)
			}
		}
		have = nil
	}
	if !c.opts.BesideUDM || c.viaUDM() { // UDM takes its locks itself
		return unlock, nil
	}
	for _, v := range values {
		if v.value == "" {
			continue
		}
		if err := c.takeLock(ctx, v.dn(d)); err != nil {
			unlock()
			return func() {}, fmt.Errorf("lock of UDM on the %s: %w", v.kind, err)
		}
		have = append(have, v)
	}
	return unlock, nil
}

// takeLock adds a lock entry. One that has expired is taken over; for a live
// one it waits as long as it may take UDM to make an account, or until a lock
// of our kind has expired.
func (c *Client) takeLock(ctx context.Context, dn string) error {
	begin := time.Now()
	for pause := c.pool.retry; ; pause = retry.Grow(pause, c.pool.retry, 2*time.Second) {
		until := strconv.FormatInt(time.Now().Add(udmLock).Unix(), 10)
		req := ldap.NewAddRequest(dn, nil)
		req.Attribute("objectClass", []string{"top", "lock"})
		req.Attribute("cn", []string{firstRDN(dn)})
		req.Attribute("lockTime", []string{until})
		err := c.add(ctx, req)
		if err == nil {
			return nil
		}
		if code(err) != ldap.LDAPResultEntryAlreadyExists && !lost(err) {
			return err
		}
		e, err := c.get(ctx, dn, "lockTime")
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		end, _ := strconv.ParseInt(e.value("lockTime"), 10, 64)
		left := time.Until(time.Unix(end, 0))
		if left < 0 {
			if won, err := c.swap(ctx, dn, "lockTime", e.value("lockTime"), until); won || err != nil {
				return err
			}
			continue
		}
		if wait := time.Since(begin); wait > udmLock || left > udmLock && wait > c.udmPatience {
			return &Error{Kind: ErrUnavailable, Err: fmt.Errorf("held by somebody else for another %v", left.Round(time.Second))}
		}
		if err := retry.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// swap replaces one value of an attribute by another if it is still there, and
// reports whether it was. It is a compare-and-swap: of several who try at the
// same time one wins.
func (c *Client) swap(ctx context.Context, dn, attr, old, value string) (bool, error) {
	req := ldap.NewModifyRequest(dn, nil)
	req.Delete(attr, []string{old})
	req.Add(attr, []string{value})
	err := c.modify(ctx, req)
	if code(err) == ldap.LDAPResultNoSuchAttribute {
		return false, nil
	}
	return err == nil, err
}

// raiseCounters tells UCS@school's importer which names are used up: its next
// person of this name gets a number above ours. The importer does not look
// whether a name exists; it would lose a run for every number that is taken.
func (c *Client) raiseCounters(ctx context.Context, d *domain, username, mail string) error {
	if !c.opts.BesideUDM {
		return nil
	}
	if err := c.raiseCounter(ctx, d, "unique-usernames", username); err != nil || mail == "" {
		return err
	}
	local, _, _ := strings.Cut(mail, "@")
	return c.raiseCounter(ctx, d, "unique-email", local)
}

// raiseCounter moves the counter of a name on, so that it lies above the
// number at the name's end. The first of a name has none and counts as 1.
func (c *Client) raiseCounter(ctx context.Context, d *domain, container, name string) error {
	word := strings.TrimRight(name, "0123456789")
	number, _ := strconv.Atoi(name[len(word):])
	next := max(number+1, 2)
	if word == "" || number > 1e6 {
		return nil // no name that the importer would make
	}
	dn := "cn=" + ldap.EscapeDN(word) + ",cn=" + container + ",cn=ucsschool,cn=univention," + d.base
	const attr = "ucsschoolUsernameNextNumber"
	// Nobody has counted the first of a name, as a rule; the others, somebody.
	for try, look := 1, number > 0; ; try++ {
		if look {
			e, err := c.get(ctx, dn, attr)
			if err != nil {
				return err
			}
			if e != nil {
				have, err := strconv.Atoi(e.value(attr))
				if err == nil && have >= next {
					return nil
				}
				won, err := c.swap(ctx, dn, attr, e.value(attr), itoa(next))
				if won || err != nil && !lost(err) || try >= 20 {
					return err
				}
				continue
			}
		}
		req := ldap.NewAddRequest(dn, nil)
		req.Attribute("objectClass", []string{"ucsschoolUsername"})
		req.Attribute("cn", []string{word})
		req.Attribute(attr, []string{itoa(next)})
		err := c.add(ctx, req)
		switch {
		case code(err) == ldap.LDAPResultNoSuchObject:
			return nil // no importer here
		case code(err) == ldap.LDAPResultEntryAlreadyExists && number == 0:
			return nil // counters begin at 2
		case code(err) == ldap.LDAPResultEntryAlreadyExists && try < 20, lost(err) && try < attempts:
			look = true
		default:
			return err
		}
	}
}
