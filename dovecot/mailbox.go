package dovecot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// ListOptions select mailboxes for [Client.Mailboxes].
type ListOptions struct {
	// Masks limit the list; * matches everything, % everything but the
	// hierarchy separator. None means all. A mask without a wildcard is
	// refused, since the server echoes it whether the mailbox exists or not:
	// use [Client.MailboxExists].
	Masks []string
	// Subscribed lists subscriptions, which may name mailboxes that do not
	// exist, instead of mailboxes.
	Subscribed bool
}

// Mailboxes lists the names of a user's mailboxes, sorted, in UTF-8 with the
// separator of the namespace, usually "/". It also lists mailboxes that the
// configuration creates by itself (auto=create and auto=subscribe) before they
// exist on disk, parents that hold no mail, and mailboxes that others share
// with the user when a namespace for them is configured.
func (c *Client) Mailboxes(ctx context.Context, user string, opts *ListOptions) ([]string, error) {
	if opts == nil {
		opts = &ListOptions{}
	}
	p := Params{}
	for _, m := range opts.Masks {
		if !strings.ContainsAny(m, "*%") {
			return nil, refuse("mailboxList", user, m, "mask without a wildcard")
		}
	}
	if len(opts.Masks) > 0 {
		p["mailboxMask"] = slices.Clone(opts.Masks)
	}
	if opts.Subscribed {
		p["subscriptions"] = true
	}
	rows, err := c.rows(ctx, userOp("mailboxList", user, "", p).repeatable())
	if err != nil {
		return nil, err
	}
	return namesOf(rows), nil
}

func namesOf(rows []ResultRow) []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r["mailbox"]
	}
	slices.Sort(names)
	return names
}

// MailboxStatus describes one mailbox.
type MailboxStatus struct {
	Mailbox       string
	Messages      uint32
	Recent        uint32
	Unseen        uint32
	UIDNext       uint32
	UIDValidity   uint32
	HighestModSeq uint64
	// Size is the sum of the messages' sizes in bytes, with CRLF line ends.
	Size int64
	// GUID identifies the mailbox for good, across renames.
	GUID string
	// FirstSaved is when the oldest message was saved, zero without one.
	FirstSaved time.Time
}

// Status returns the state of the mailboxes that match the masks (* and %),
// sorted by name; no mask means all. Mailboxes that do not exist on disk yet
// are left out, which for a new user includes INBOX; asked for by name, INBOX
// and those that the configuration creates by itself are created. A single mask without a wildcard
// that matches nothing is [ErrNotFound]. Mailboxes that others share with the user are left out, too. A
// folder on disk whose name cannot be one, as after a bad conversion, makes the
// server refuse the status of all.
func (c *Client) Status(ctx context.Context, user string, masks ...string) ([]MailboxStatus, error) {
	if len(masks) == 0 {
		masks = []string{"*"}
	}
	o := statusOp(user, masks)
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, ofAll(o, err)
	}
	return c.statuses(o, rows)
}

// ofAll explains the failure of a status of all mailboxes, in which one that
// cannot be opened hides the others.
func ofAll(o op, err error) error {
	if e, ok := errors.AsType[*Error](err); ok && o.subject == "" &&
		(e.Kind == ErrNotFound || e.Kind == ErrInvalid && e.ExitCode != 0) {
		e.Err = errors.New("a mailbox that is listed cannot be opened, such as a folder with an impossible name; the " +
			"server's log names it")
	}
	return err
}

func statusOp(user string, masks []string) op {
	subject := ""
	if len(masks) == 1 && masks[0] != "*" {
		subject = masks[0]
	}
	return userOp("mailboxStatus", user, subject, Params{"field": []string{"all"},
		"mailboxMask": slices.Clone(masks)}).repeatable()
}

func (c *Client) statuses(o op, rows []ResultRow) ([]MailboxStatus, error) {
	list := make([]MailboxStatus, len(rows))
	for i, r := range rows {
		var err error
		if list[i], err = statusOf(r); err != nil {
			return nil, c.malformed(o, err)
		}
	}
	slices.SortFunc(list, func(a, b MailboxStatus) int { return strings.Compare(a.Mailbox, b.Mailbox) })
	return list, nil
}

func statusOf(r ResultRow) (MailboxStatus, error) {
	m := MailboxStatus{Mailbox: r["mailbox"], GUID: r["guid"]}
	var errs [8]error
	m.Messages, errs[0] = number[uint32](r, "messages")
	m.Recent, errs[1] = number[uint32](r, "recent")
	m.Unseen, errs[2] = number[uint32](r, "unseen")
	m.UIDNext, errs[3] = number[uint32](r, "uidnext")
	m.UIDValidity, errs[4] = number[uint32](r, "uidvalidity")
	m.HighestModSeq, errs[5] = number[uint64](r, "highestmodseq")
	m.Size, errs[6] = number[int64](r, "vsize")
	if s := r["firstsaved"]; s != "" && s != "never" {
		var sec int64
		sec, errs[7] = number[int64](r, "firstsaved")
		m.FirstSaved = time.Unix(sec, 0).UTC()
	}
	if _, ok := r["mailbox"]; !ok {
		return m, errors.New("no mailbox")
	}
	return m, errors.Join(errs[:]...)
}

// MailboxExists reports whether the mailbox exists on disk. INBOX and the
// mailboxes that the configuration creates by itself always do: asking creates
// them.
func (c *Client) MailboxExists(ctx context.Context, user, mailbox string) (bool, error) {
	if strings.ContainsAny(mailbox, "*%") {
		return false, refuse("mailboxStatus", user, mailbox, "mailbox name with a wildcard")
	}
	_, err := c.Status(ctx, user, mailbox)
	if isKind(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CreateOptions are options of [Client.CreateMailbox].
type CreateOptions struct {
	Subscribe bool
	// GUID gives the mailbox this identity, 32 hex digits.
	GUID string
}

// CreateMailbox creates a mailbox, and its parents as mailboxes without mail.
// One that is there already is [ErrExists]. A name that the storage cannot
// hold is [ErrInvalid]; with Maildir and the separator "/" that is a name with
// a dot, a leading "~" or "/", an empty level, or one of some 200 bytes.
// Special use cannot be given here: Dovecot takes it from its configuration.
func (c *Client) CreateMailbox(ctx context.Context, user, mailbox string, opts *CreateOptions) error {
	p := Params{"mailbox": []string{mailbox}}
	if opts != nil && opts.Subscribe {
		p["subscriptions"] = true
	}
	if opts != nil && opts.GUID != "" {
		if !isGUID(opts.GUID) {
			return refuse("mailboxCreate", user, mailbox, "GUID is not 32 hex digits")
		}
		p["guid"] = opts.GUID
	}
	if err := checkMailbox(mailbox); err != nil {
		return refuse("mailboxCreate", user, mailbox, "%w", err)
	}
	return c.existsInstead(ctx, user, mailbox, c.exec(ctx, userOp("mailboxCreate", user, mailbox, p)))
}

// existsInstead turns "not possible" into "exists already" when it is so.
func (c *Client) existsInstead(ctx context.Context, user, mailbox string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != ErrNotPossible || strings.ContainsAny(mailbox, "*%") {
		return err
	}
	if found, _ := c.MailboxExists(ctx, user, mailbox); found {
		e.Kind = ErrExists
	}
	return err
}

// RenameMailbox renames a mailbox with the mailboxes below it. The old name's
// subscription stays. A missing one, which includes a mailbox that is only
// listed because the configuration will create it, is [ErrNotFound], an
// existing target [ErrExists]; INBOX cannot be renamed.
func (c *Client) RenameMailbox(ctx context.Context, user, from, to string) error {
	if err := errors.Join(checkMailbox(from), checkMailbox(to)); err != nil {
		return refuse("mailboxRename", user, from, "%w", err)
	}
	if isInbox(from) {
		return refuse("mailboxRename", user, from, "INBOX cannot be renamed")
	}
	if isBelow(to, from) { // the server would nest copies of it into one another
		return refuse("mailboxRename", user, from, "%q lies below it", to)
	}
	err := c.exec(ctx, userOp("mailboxRename", user, from, Params{"mailbox": from, "newName": to}))
	return c.existsInstead(ctx, user, to, err)
}

// DeleteOptions are options of [Client.DeleteMailbox].
type DeleteOptions struct {
	// Recursive deletes the mailboxes below it, too.
	Recursive bool
	// RequireEmpty refuses, as [ErrNotPossible], when there are messages. With
	// Recursive, empty mailboxes below it go nevertheless.
	RequireEmpty bool
	// KeepSubscription leaves the subscription in place.
	KeepSubscription bool
}

// DeleteMailbox deletes a mailbox with its messages, which go to no trash. A
// missing one is [ErrNotFound].
//
// INBOX is refused: the server would answer that it cannot be deleted, and
// nevertheless remove all its messages. Use [Client.RemoveMail] or
// [Client.Expunge] when that is what you want.
//
// A deleted mailbox that the configuration creates by itself is listed again
// at once, empty.
func (c *Client) DeleteMailbox(ctx context.Context, user, mailbox string, opts *DeleteOptions) error {
	if err := checkMailbox(mailbox); err != nil {
		return refuse("mailboxDelete", user, mailbox, "%w", err)
	}
	if isInbox(mailbox) {
		return refuse("mailboxDelete", user, mailbox, "deleting INBOX would remove its messages and then fail")
	}
	if opts == nil {
		opts = &DeleteOptions{}
	}
	p := Params{"mailbox": []string{mailbox}}
	if opts.Recursive {
		p["recursive"] = true
	}
	if opts.RequireEmpty {
		p["requireEmpty"] = true
	}
	// The server ends subscriptions even of mailboxes that it then keeps.
	later := opts.RequireEmpty && !opts.KeepSubscription
	if !opts.KeepSubscription && !later {
		p["subscriptions"] = true
	}
	names := []string{mailbox}
	if opts.Recursive {
		// With recursive the server answers "not found" after it has deleted
		// the children of a parent that has no mailbox of its own: look instead.
		before, err := c.below(ctx, user, mailbox)
		if err != nil {
			return err
		}
		for _, m := range before {
			names = append(names, m.Mailbox)
		}
	}
	err := c.exec(ctx, userOp("mailboxDelete", user, mailbox, p))
	if isKind(err, ErrNotFound) && len(names) > 1 {
		after, lerr := c.below(ctx, user, mailbox)
		if lerr != nil {
			return lerr
		}
		if len(after) == 0 {
			err = nil
		}
	}
	if err == nil && later {
		err = c.Unsubscribe(ctx, user, names...)
	}
	return err
}

// below returns the status of the mailboxes below one. Masks cannot quote
// wildcards, so that names are compared here.
func (c *Client) below(ctx context.Context, user, mailbox string) ([]MailboxStatus, error) {
	all, err := c.Status(ctx, user)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(m MailboxStatus) bool { return !isBelow(m.Mailbox, mailbox) }), nil
}

// isBelow reports whether a mailbox lies below another. The separator is the
// site's choice, one byte of punctuation.
func isBelow(name, parent string) bool {
	rest, ok := strings.CutPrefix(name, parent)
	return ok && len(rest) > 1 && strings.ContainsAny(rest[:1], "/.^\\|")
}

// Subscribe subscribes a user to mailboxes, existing or not.
func (c *Client) Subscribe(ctx context.Context, user string, mailboxes ...string) error {
	return c.subscription(ctx, "mailboxSubscribe", user, mailboxes)
}

// Unsubscribe ends subscriptions; one that is not there is no error.
func (c *Client) Unsubscribe(ctx context.Context, user string, mailboxes ...string) error {
	return c.subscription(ctx, "mailboxUnsubscribe", user, mailboxes)
}

func (c *Client) subscription(ctx context.Context, command, user string, mailboxes []string) error {
	if len(mailboxes) == 0 {
		return refuse(command, user, "", "no mailboxes given")
	}
	for _, m := range mailboxes {
		if err := checkMailbox(m); err != nil {
			return refuse(command, user, m, "%w", err)
		}
	}
	o := userOp(command, user, "", Params{"mailbox": slices.Clone(mailboxes)}).repeatable()
	if len(mailboxes) == 1 {
		o.subject = mailboxes[0]
	}
	return c.exec(ctx, o)
}

// checkMailbox refuses names whose effect is not the one meant: an empty name
// or a bare separator with "recursive" means everything.
func checkMailbox(name string) error {
	if strings.Trim(name, "/.") == "" {
		return errors.New("empty mailbox name")
	}
	return checkText(name)
}

// isInbox reports whether the name means INBOX, in any case of letters.
func isInbox(name string) bool { return strings.EqualFold(strings.TrimRight(name, "/."), "INBOX") }

func isGUID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
