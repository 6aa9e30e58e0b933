package dovecot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Desired is what a user's mail should look like.
type Desired struct {
	// Mailboxes must exist and be subscribed, besides INBOX: the special
	// folders that the site's configuration names ("Sent", "Drafts", ...).
	// Those with auto=subscribe in the configuration need not be listed.
	Mailboxes []string
	// QuotaBytes is the storage limit, in bytes; 0 does not look. It is set
	// where [Options.QuotaDict] allows it; elsewhere it is the directory that
	// sets it, and this is what to compare with.
	QuotaBytes int64
}

// State is what a user's mail looks like.
type State struct {
	User User
	// Mailboxes exist on disk.
	Mailboxes []MailboxStatus
	// Subscribed are the subscriptions, sorted.
	Subscribed []string
	Quota      []Quota
}

// Missing returns the changes that would bring the state to what is wanted, as
// short words for a person: `mailbox "Sent"`, `subscription "Sent"`, `quota`.
// None means that [Client.Ensure] would change nothing.
func (s State) Missing(w Desired) []string {
	var list []string
	for _, m := range append([]string{"INBOX"}, w.Mailboxes...) {
		if !slices.ContainsFunc(s.Mailboxes, func(b MailboxStatus) bool { return b.Mailbox == m }) {
			list = append(list, fmt.Sprintf("mailbox %q", m))
		}
	}
	for _, m := range w.Mailboxes {
		if !slices.Contains(s.Subscribed, m) {
			list = append(list, fmt.Sprintf("subscription %q", m))
		}
	}
	if w.QuotaBytes > 0 && !s.quotaIs(w.QuotaBytes) {
		list = append(list, "quota")
	}
	return list
}

// quotaIs compares in KiB, the server's unit, to which it rounds up. A user's
// quota_rule concerns the first root; others have limits of their own.
func (s State) quotaIs(limit int64) bool {
	return len(s.Quota) > 0 && s.Quota[0].StorageLimit>>10 == (limit+1023)>>10
}

// Inspect reads the state of a user's mail, in one request, and changes
// nothing (Dovecot makes the home directory by itself, though). An unknown
// user is [ErrNoUser]. Without the quota plugin Quota is empty.
func (c *Client) Inspect(ctx context.Context, user string) (State, error) {
	info, err := c.Server(ctx)
	if err != nil {
		return State{}, err
	}
	ops := []op{
		lookup(user),
		statusOp(user, []string{"*"}),
		userOp("mailboxList", user, "", Params{"subscriptions": true}).repeatable(),
	}
	if _, ok := info.Commands["quotaGet"]; ok {
		ops = append(ops, userOp("quotaGet", user, "", nil).repeatable())
	}
	answers, errs, err := c.several(ctx, ops)
	if err != nil {
		return State{}, err
	}
	for i, err := range errs {
		if err != nil {
			return State{}, ofAll(ops[i], err) // the others say the same
		}
	}
	var s State
	if s.User, err = c.userOf(ops[0], answers[0]); err != nil {
		return State{}, err
	}
	if s.Mailboxes, err = c.statuses(ops[1], answers[1].rows); err != nil {
		return State{}, err
	}
	s.Subscribed = namesOf(answers[2].rows)
	if len(ops) > 3 {
		if s.Quota, err = c.quotas(ops[3], answers[3].rows); err != nil {
			return State{}, err
		}
	}
	return s, nil
}

// Ensure brings a user's mail to the wanted state and returns it. The user
// must be in the directory already; [ErrNoUser] may then mean that the
// directory has not reached the mail server yet. What is there already is
// left alone: the second call makes two requests (and one for each further
// host) and changes nothing.
//
// It first flushes the user's entries in the authentication caches. A quota
// in force other than the one wanted is set when there is an [Options.QuotaDict]
// (see [Client.SetQuota]); otherwise it is [ErrQuotaDiffers], after everything
// else has been done, and for the directory to change.
func (c *Client) Ensure(ctx context.Context, user string, w Desired) (State, error) {
	if w.QuotaBytes < 0 {
		return State{}, refuse("quotaGet", user, "", "negative quota")
	}
	if err := c.forget(ctx, user); err != nil {
		return State{}, err
	}
	s, err := c.Inspect(ctx, user)
	if err != nil {
		return State{}, err
	}
	if len(s.Missing(Desired{Mailboxes: w.Mailboxes})) > 0 {
		if err := c.supply(ctx, user, s, w.Mailboxes); err != nil {
			return s, err
		}
		if s, err = c.Inspect(ctx, user); err != nil {
			return State{}, err
		}
		if still := s.Missing(Desired{Mailboxes: w.Mailboxes}); len(still) > 0 {
			return s, &Error{Op: "ensure", User: user, Host: c.hosts[0].name, Kind: ErrIncomplete,
				Err: fmt.Errorf("missing: %s", strings.Join(still, ", "))}
		}
	}
	if w.QuotaBytes > 0 && !s.quotaIs(w.QuotaBytes) {
		if c.quotaDict == "" {
			return s, c.quotaDiffers(user, w.QuotaBytes, s.Quota)
		}
		if err := c.SetQuota(ctx, user, w.QuotaBytes); err != nil {
			return s, err
		}
		return c.Inspect(ctx, user)
	}
	return s, nil
}

// supply creates and subscribes what is not there.
func (c *Client) supply(ctx context.Context, user string, s State, mailboxes []string) error {
	if len(s.Mailboxes) == 0 {
		if _, err := c.Status(ctx, user, "INBOX"); err != nil { // creates it
			return err
		}
	}
	var create, subscribe []string
	for _, m := range mailboxes {
		if err := checkMailbox(m); err != nil {
			return refuse("mailboxCreate", user, m, "%w", err)
		}
		if !slices.ContainsFunc(s.Mailboxes, func(b MailboxStatus) bool { return b.Mailbox == m }) {
			create = append(create, m)
		}
		if !slices.Contains(s.Subscribed, m) {
			subscribe = append(subscribe, m)
		}
	}
	if len(create) > 0 {
		// All in one command; what fails is tried alone, to learn which it is.
		o := userOp("mailboxCreate", user, "", Params{"mailbox": create})
		if err := c.exec(ctx, o); isKind(err, ErrNotPossible) || isKind(err, ErrInvalid) {
			for _, m := range create {
				if err := c.CreateMailbox(ctx, user, m, nil); err != nil && !isKind(err, ErrExists) {
					return err
				}
			}
		} else if err != nil {
			return err
		}
	}
	if len(subscribe) == 0 {
		return nil
	}
	return c.Subscribe(ctx, user, subscribe...)
}

func limits(quotas []Quota) string {
	if len(quotas) == 0 {
		return "no quota root"
	}
	list := make([]string, len(quotas))
	for i, q := range quotas {
		list[i] = fmt.Sprintf("%d", q.StorageLimit)
	}
	return strings.Join(list, ", ")
}

// MoveMail brings a user's mail along when the login has changed and with it
// the home. before is the state under the old login, read by [Client.Inspect]
// while the directory still had it; keep it in a journal. Call it when the
// directory has the new login. It ends the sessions of both logins, copies
// with dsync into what the new login may have received already, and checks
// that every mailbox has arrived; UIDs, UIDVALIDITY, flags, dates,
// subscriptions stay, so that mail programs do not load everything again.
//
// Nothing is deleted: afterwards [Client.DeleteHome] removes before.User.Home.
// When old and new login have the same home there is nothing to do. Repeating
// it is harmless. A home that is gone is [ErrNotFound].
//
// It works for mail stored below the home at the host for mail; where users
// are spread over backends, the new login must be on the same backend as the
// old one was.
func (c *Client) MoveMail(ctx context.Context, before State, to string) (State, error) {
	from := before.User.Name
	if err := c.forget(ctx, from, to); err != nil {
		return State{}, err
	}
	target, err := c.User(ctx, to)
	if err != nil {
		return State{}, err
	}
	source := before.User.MailLocation()
	if source == "" || before.User.Home == "" {
		return State{}, refuse("sync", to, "", "the old login's home or mail location is not known")
	}
	if target.MailLocation() == source {
		return c.Inspect(ctx, to)
	}
	// A source that is not there would be created, empty.
	found, err := c.anyThere(ctx, before.User)
	if err != nil {
		return State{}, err
	}
	if !found {
		return State{}, &Error{Op: "sync", User: to, Subject: before.User.Home, Host: c.hosts[0].name, Kind: ErrNotFound}
	}
	if err := c.carry(ctx, from, source, to); err != nil {
		return State{}, err
	}
	after, err := c.Inspect(ctx, to)
	if err != nil {
		return State{}, err
	}
	if lost := lost(before, after); len(lost) > 0 {
		return after, &Error{Op: "sync", User: to, Host: c.hosts[0].name, Kind: ErrIncomplete,
			Err: fmt.Errorf("%s", strings.Join(lost, "; "))}
	}
	return after, nil
}

// carry ends the sessions of both logins and copies all mail of a location to the new one.
func (c *Client) carry(ctx context.Context, from, source, to string) error {
	for _, login := range []string{from, to} {
		if _, err := c.Kick(ctx, login); err != nil {
			return err
		}
	}
	for try := 0; ; try++ {
		// One way and not backup: mail that came to the new login stays, and
		// a wrong source deletes nothing. Everything is compared: by modification
		// sequences alone a second run, in which both have new mail, leaves out what is
		// new in the source.
		res, err := c.Sync(ctx, to, source, &SyncOptions{Reverse: true, OneWay: true, Full: true, LockTimeout: 60})
		if err != nil {
			return err
		}
		if !res.Again {
			return nil
		}
		if try == 4 {
			return &Error{Op: "sync", User: to, Host: c.hosts[0].name, Kind: ErrTemporary, ExitCode: 2, again: true}
		}
	}
}

// lost compares the mailboxes before with those after.
func lost(before, after State) []string {
	have := map[string]MailboxStatus{}
	for _, m := range after.Mailboxes {
		have[m.Mailbox] = m
	}
	var list []string
	for _, old := range before.Mailboxes {
		m, ok := have[old.Mailbox]
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("mailbox %q is missing", old.Mailbox))
		case m.Messages < old.Messages:
			list = append(list, fmt.Sprintf("mailbox %q has %d messages instead of %d", m.Mailbox, m.Messages, old.Messages))
		case m.UIDValidity != old.UIDValidity && old.Messages > 0:
			list = append(list, fmt.Sprintf("mailbox %q has another UIDVALIDITY", m.Mailbox))
		}
	}
	return list
}

// RemoveMail removes all mail of a user who is still in the directory: it ends
// the sessions, deletes every mailbox with its subscription, empties INBOX,
// and checks that nothing is left. Home, Sieve scripts and settings stay;
// [Client.DeleteHome] removes those, too, and is enough by itself where it can
// be used. Repeating it is harmless. Lock the account first, or mail programs
// and deliveries bring things back.
//
// Only mailboxes stored in the user's own home, or below INBOX, are touched.
func (c *Client) RemoveMail(ctx context.Context, user string) error {
	u, err := c.User(ctx, user)
	if err != nil {
		return err
	}
	if _, err := c.Kick(ctx, user); err != nil {
		return err
	}
	list, err := c.Status(ctx, user)
	if err != nil {
		return err
	}
	// A director knows another home than the backend, or none: what lies in
	// the folder of INBOX is the user's own, too.
	roots := []string{u.Home}
	if len(list) > 0 {
		inbox, err := c.mailboxPath(ctx, user, "INBOX")
		if err != nil {
			return err
		}
		roots = append(roots, inbox)
	}
	slices.Reverse(list) // sorted, so that children now come before parents
	for _, m := range list {
		p, err := c.mailboxPath(ctx, user, m.Mailbox)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(roots, func(root string) bool { return isWithin(p, root) }) {
			return refuse("mailboxDelete", user, m.Mailbox, "the mailbox does not lie in the user's home")
		}
		if isInbox(m.Mailbox) {
			if m.Messages > 0 {
				err = c.Expunge(ctx, user, m.Mailbox, "ALL")
			}
		} else {
			err = c.DeleteMailbox(ctx, user, m.Mailbox, nil)
		}
		if err != nil && !isKind(err, ErrNotFound) {
			return err
		}
	}
	subscribed, err := c.Mailboxes(ctx, user, &ListOptions{Subscribed: true})
	if err != nil {
		return err
	}
	if len(subscribed) > 0 {
		if err := c.Unsubscribe(ctx, user, subscribed...); err != nil {
			return err
		}
	}
	list, err = c.Status(ctx, user)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Messages > 0 || !isInbox(m.Mailbox) {
			return &Error{Op: "mailboxDelete", User: user, Subject: m.Mailbox, Host: c.hosts[0].name, Kind: ErrIncomplete,
				Err: fmt.Errorf("%d messages are left", m.Messages)}
		}
	}
	return nil
}

// mailboxPath returns where a mailbox lies on the host that has it.
func (c *Client) mailboxPath(ctx context.Context, user, mailbox string) (string, error) {
	o := userOp("mailboxPath", user, mailbox, Params{"mailbox": []string{mailbox}}).repeatable()
	rows, err := c.rows(ctx, o)
	if err != nil {
		return "", err
	}
	if len(rows) != 1 || !path.IsAbs(rows[0]["path"]) {
		return "", c.malformed(o, errors.New("no path"))
	}
	return path.Clean(rows[0]["path"]), nil
}

// isWithin reports whether a clean path is a folder or lies in it; nothing lies
// in "" or "/".
func isWithin(p, folder string) bool {
	folder = path.Clean(folder)
	return path.IsAbs(folder) && folder != "/" && (p == folder || strings.HasPrefix(p, folder+"/"))
}
