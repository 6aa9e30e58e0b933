package ucs

import (
	"context"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// Stamps says what to make of accounts that somebody else has marked for
// deletion: UCS@school's importer disables an account and writes the day on
// which a cron job of UCS@school removes it (ucsschoolPurgeTimestamp).
type Stamps string

// How stamps are read. Neither way removes one: [Client.CallOff] does, and a
// reactivation.
const (
	// StampsHold, the default, reports such accounts on hold, unless schoolmail
	// has deactivated them itself.
	StampsHold Stamps = "hold"
	// StampsAdopt takes the importer's decision over where the login is closed:
	// the account counts as deactivated on the day of the stamp. It comes back if
	// its record does, and is purged as any other. Where the login is open the
	// account is on hold all the same.
	StampsAdopt Stamps = "adopt"
)

// decodeStamp reads the day of deletion that somebody else has set.
func (c *Client) decodeStamp(l *live) {
	v := l.e.value("ucsschoolPurgeTimestamp")
	if v == "" {
		return
	}
	t, err := time.Parse("20060102150405Z", v)
	if err != nil {
		l.warn("ucsschoolPurgeTimestamp is not a day")
		return
	}
	l.stamp = schoolmail.NewDate(t.Year(), t.Month(), t.Day())
	l.remark(RemarkStamped, "")
	a := &l.acct
	switch {
	case a.State == schoolmail.Deactivated: // by us: it stays so, or comes back with its record
	case c.opts.Stamps != StampsAdopt || !disabled(l.e):
		a.Held = true
	default:
		a.State, a.Deactivated = schoolmail.Deactivated, l.stamp
	}
}

// CallOff removes the day of deletion that somebody else has set on an account
// ([RemarkStamped]) and reports whether there was one. With [StampsAdopt] and a
// closed login the account is recorded as deactivated on that day, so that from
// then on only schoolmail's own life cycle removes it.
//
// The account may be on hold only because of the stamp: one that an operator
// holds is a conflict.
func (c *Client) CallOff(ctx context.Context, username string) (bool, error) {
	done, err := c.callOff(ctx, username)
	return done, wrap("call off deletion of account", username, err)
}

func (c *Client) callOff(ctx context.Context, username string) (bool, error) {
	d, err := c.load(ctx)
	if err != nil {
		return false, err
	}
	for try := 1; ; try++ {
		l, err := c.lookupToWrite(ctx, username, false)
		switch {
		case err != nil:
			return false, err
		case l == nil:
			return false, &Error{Kind: ErrNotFound, Err: errGone}
		case l.stamp.IsZero():
			return false, nil
		case !l.ours() || l.life.held || l.warning != "":
			return false, conflict("the account is on hold, or not made by schoolmail")
		}
		m := &mods{e: l.e, req: ldap.NewModifyRequest(l.e.dn, nil)}
		m.set("ucsschoolPurgeTimestamp")
		if l.acct.State == schoolmail.Deactivated && l.life.state != schoolmail.Deactivated {
			if err := c.setLife(ctx, d, m, l, l.acct, ""); err != nil {
				return false, err
			}
		}
		err = m.send(ctx, c)
		if !again(err) || try == attempts || ctx.Err() != nil {
			return err == nil, err
		}
	}
}
