package imapwire

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// Namespace is one personal, other users' or shared namespace (RFC 2342).
type Namespace struct {
	Prefix    string // raw, "INBOX." or ""
	Separator string // one character, or "" for a flat namespace
}

// Namespaces as the server lists them.
type Namespaces struct {
	Personal, Other, Shared []Namespace
	// Guessed: the server has no NAMESPACE, and all that is known is a separator.
	Guessed bool
}

// Namespace asks for the namespaces. A server without NAMESPACE gets the
// separator of its INBOX and no prefix.
func (c *Client) Namespace(ctx context.Context) (Namespaces, error) {
	var n Namespaces
	if !c.Has("NAMESPACE") {
		var sep string
		_, err := c.exec(ctx, "LIST", func(name string, _ uint32) (bool, error) {
			if name != "LIST" {
				return false, nil
			}
			b, err := c.listEntry()
			if err == nil {
				sep = b.Separator
			}
			return true, err
		}, `""`, `""`)
		n.Personal, n.Guessed = []Namespace{{Separator: sep}}, true
		return n, err
	}
	_, err := c.exec(ctx, "NAMESPACE", func(name string, _ uint32) (bool, error) {
		if name != "NAMESPACE" {
			return false, nil
		}
		for _, dst := range []*[]Namespace{&n.Personal, &n.Other, &n.Shared} {
			v, err := c.r.value(0)
			if err != nil {
				return true, err
			}
			for _, e := range v.list {
				if len(e.list) >= 2 {
					ns := Namespace{Prefix: e.list[0].text}
					if !e.list[1].isNil {
						ns.Separator = e.list[1].text
					}
					*dst = append(*dst, ns)
				}
			}
		}
		return true, nil
	})
	return n, err
}

// Mailbox is one line of LIST, with what else is known about it.
type Mailbox struct {
	Name       string   // raw
	Separator  string   // "" if NIL
	Attributes []string // as sent: `\HasNoChildren`, `\Sent`
	Subscribed bool
	Status     *Status // nil if not asked for or not selectable
}

// Has reports an attribute, without regard to case.
func (m Mailbox) Has(attribute string) bool {
	return slices.ContainsFunc(m.Attributes, func(a string) bool { return strings.EqualFold(a, attribute) })
}

// Selectable reports whether the mailbox can hold messages.
func (m Mailbox) Selectable() bool { return !m.Has(`\Noselect`) && !m.Has(`\NonExistent`) }

// Status of a mailbox. Absent numbers are 0.
type Status struct {
	Messages, UIDNext, UIDValidity uint32
	HighestModSeq                  uint64
	Size                           int64 // -1 if the server has no STATUS=SIZE
}

// InboxName reports whether a raw name means INBOX.
func InboxName(name string) bool { return strings.EqualFold(name, "INBOX") }

func boxKey(name string) string {
	if InboxName(name) {
		return "INBOX"
	}
	return name
}

func (c *Client) listEntry() (Mailbox, error) {
	var m Mailbox
	v, err := c.r.value(0)
	if err != nil {
		return m, err
	}
	m.Attributes = v.words()
	sep, err := c.r.value(0)
	if err != nil {
		return m, err
	}
	if !sep.isNil {
		m.Separator = sep.text
	}
	if m.Name, err = c.r.name(); err == nil && m.Name == "" {
		err = errSyntax
	}
	m.Subscribed = m.Has(`\Subscribed`)
	return m, err
}

func (c *Client) statusItems() string {
	items := "MESSAGES UIDNEXT UIDVALIDITY"
	if c.Has("CONDSTORE") || c.Has("QRESYNC") {
		items += " HIGHESTMODSEQ"
	}
	if c.Has("STATUS=SIZE") {
		items += " SIZE"
	}
	return "(" + items + ")"
}

// readStatus reads what follows "* STATUS".
func (c *Client) readStatus() (string, *Status, error) {
	v, err := c.r.value(0)
	if err != nil {
		return "", nil, err
	}
	name := v.text
	if c.r.peek() != ' ' || !strings.HasPrefix(strings.TrimLeft(c.r.rest(), " "), "(") {
		// An atom with blanks, against the grammar.
		rest := c.r.rest()
		i := strings.LastIndex(rest, " (")
		if i < 0 {
			return "", nil, errSyntax
		}
		name += rest[:i]
		c.r.pos += i
	}
	list, err := c.r.value(0)
	if err != nil {
		return "", nil, err
	}
	st := &Status{Size: -1}
	for i := 0; i+1 < len(list.list); i += 2 {
		n, err := strconv.ParseUint(list.list[i+1].text, 10, 64)
		if err != nil {
			continue
		}
		switch strings.ToUpper(list.list[i].text) {
		case "MESSAGES":
			st.Messages = uint32(n)
		case "UIDNEXT":
			st.UIDNext = uint32(n)
		case "UIDVALIDITY":
			st.UIDValidity = uint32(n)
		case "HIGHESTMODSEQ":
			st.HighestModSeq = n
		case "SIZE":
			st.Size = int64(n)
		}
	}
	return name, st, nil
}

// List returns all mailboxes that the user sees, with special-use attributes,
// subscriptions and, if status is set, the state of the selectable ones. It
// takes one command where the server has LIST-EXTENDED and LIST-STATUS, and
// falls back to XLIST, LSUB and STATUS where not.
func (c *Client) List(ctx context.Context, status bool) ([]Mailbox, error) {
	l := &listing{c: c, index: map[string]int{}, states: map[string]*Status{}}
	extended, use := c.Has("LIST-EXTENDED"), c.Has("SPECIAL-USE")
	oneStatus := status && extended && c.Has("LIST-STATUS")
	args := `"" "*"`
	if extended {
		args += " RETURN (SUBSCRIBED CHILDREN"
		if use {
			args += " SPECIAL-USE"
		}
		if oneStatus {
			args += " STATUS " + c.statusItems()
		}
		args += ")"
	}
	if _, err := c.exec(ctx, "LIST", l.handle, args); err != nil {
		return nil, err
	}
	for command, needed := range map[string]bool{"XLIST": !use && c.Has("XLIST"), "LSUB": !extended} {
		if !needed {
			continue
		}
		if _, err := c.exec(ctx, command, l.handle, `"" "*"`); err != nil && c.err != nil {
			return nil, err
		}
	}
	if status && !oneStatus {
		if err := l.status(ctx); err != nil {
			return nil, err
		}
	}
	for i := range l.boxes {
		if st := l.states[boxKey(l.boxes[i].Name)]; st != nil && l.boxes[i].Selectable() {
			l.boxes[i].Status = st
		}
	}
	return l.boxes, nil
}

// listing collects what the commands of List answer.
type listing struct {
	c      *Client
	boxes  []Mailbox
	index  map[string]int // in boxes
	states map[string]*Status
}

func (l *listing) handle(name string, _ uint32) (bool, error) {
	switch name {
	case "LIST", "XLIST":
		m, err := l.c.listEntry()
		if err != nil {
			return true, err
		}
		l.add(m)
	case "LSUB":
		m, err := l.c.listEntry()
		if i, ok := l.index[boxKey(m.Name)]; ok && err == nil && !m.Has(`\Noselect`) {
			l.boxes[i].Subscribed = true
		}
		return true, err
	case "STATUS":
		n, st, err := l.c.readStatus()
		if err == nil {
			l.states[boxKey(n)] = st
		}
		return true, err
	default:
		return false, nil
	}
	return true, nil
}

func (l *listing) add(m Mailbox) {
	if m.Has(`\Inbox`) { // XLIST may translate the name
		m.Name = "INBOX"
	}
	if i, ok := l.index[boxKey(m.Name)]; ok {
		m.Attributes = append(m.Attributes, l.boxes[i].Attributes...)
		m.Subscribed = m.Subscribed || l.boxes[i].Subscribed
		l.boxes[i] = m
		return
	}
	l.index[boxKey(m.Name)] = len(l.boxes)
	l.boxes = append(l.boxes, m)
}

// status asks for the states of all mailboxes one by one.
func (l *listing) status(ctx context.Context) error {
	var cmds []command
	for _, b := range l.boxes {
		if b.Selectable() {
			cmds = append(cmds, command{"STATUS", []any{str(b.Name), l.c.statusItems()}})
		}
	}
	_, err := l.c.pipeline(ctx, l.handle, cmds)
	return err
}

// Status asks for the state of one mailbox.
func (c *Client) Status(ctx context.Context, mailbox string) (*Status, error) {
	var st *Status
	_, err := c.exec(ctx, "STATUS", func(name string, _ uint32) (bool, error) {
		if name != "STATUS" {
			return false, nil
		}
		_, s, err := c.readStatus()
		if err == nil {
			st = s
		}
		return true, err
	}, str(mailbox), c.statusItems())
	if err == nil && st == nil {
		err = &Error{Op: "STATUS", Status: "OK", Text: "without the state"}
	}
	return st, err
}

// Selected is what SELECT and EXAMINE tell.
type Selected struct {
	Messages, UIDNext, UIDValidity uint32
	HighestModSeq                  uint64 // 0 with NOMODSEQ or without CONDSTORE
}

// Select opens a mailbox, read-only (EXAMINE, which leaves \Recent alone) or for changes. An
// answer without the number of messages (RFC 3501, section 6.3.1) is an error: taken for
// empty, a full mailbox would look like one that everything has been deleted from.
func (c *Client) Select(ctx context.Context, mailbox string, readOnly bool) (*Selected, error) {
	s := c.selection(mailbox, readOnly)
	_, err := c.exec(ctx, s.op, s.take, s.args...)
	return s.end(err)
}

// SelectAll is Select and a Search for all messages, sent in one go.
func (c *Client) SelectAll(ctx context.Context, mailbox string, readOnly bool) (*Selected, Set, error) {
	var all Set
	s := c.selection(mailbox, readOnly)
	find := c.found(&all)
	errs, err := c.pipeline(ctx, func(name string, num uint32) (bool, error) {
		if known, err := s.take(name, num); known || err != nil {
			return known, err
		}
		return find(name, num)
	}, []command{s.command, {"UID", c.searching("ALL")}})
	if err != nil {
		return nil, nil, err
	}
	sel, err := s.end(errs[0])
	if err != nil {
		return nil, nil, err
	}
	return sel, all, opError(errs[1], "UID SEARCH")
}

// selection is a SELECT or EXAMINE under way.
type selection struct {
	command
	c       *Client
	sel     Selected
	counted bool
}

func (c *Client) selection(mailbox string, readOnly bool) *selection {
	s := &selection{command: command{"SELECT", []any{str(mailbox)}}, c: c}
	if readOnly {
		s.op = "EXAMINE"
	}
	if c.Has("CONDSTORE") || c.Has("QRESYNC") {
		s.args = append(s.args, "(CONDSTORE)")
	}
	return s
}

func (s *selection) take(name string, num uint32) (bool, error) {
	switch name {
	case "EXISTS":
		s.sel.Messages, s.counted = num, true
	case "[UIDNEXT":
		s.sel.UIDNext = num
	case "[UIDVALIDITY":
		s.sel.UIDValidity = num
	case "[HIGHESTMODSEQ":
		// num holds 32 bits only; the text is still in the segment.
		s.sel.HighestModSeq = codeNumber(string(s.c.r.seg))
	default:
		return false, nil
	}
	return true, nil
}

func (s *selection) end(err error) (*Selected, error) {
	if err == nil && !s.counted {
		err = &Error{Op: s.op, Status: "OK", Text: "without the number of messages"}
	}
	if err != nil {
		return nil, err
	}
	return &s.sel, nil
}

// codeNumber reads the number in "* OK [HIGHESTMODSEQ 123] ...".
func codeNumber(line string) uint64 {
	_, rest, _ := strings.Cut(line, "[")
	rest, _, _ = strings.Cut(rest, "]")
	_, n, _ := strings.Cut(rest, " ")
	v, _ := strconv.ParseUint(strings.TrimSpace(n), 10, 64)
	return v
}

// Unselect closes the mailbox without expunging. Servers without UNSELECT
// open a mailbox that cannot exist, as RFC 3691 describes.
func (c *Client) Unselect(ctx context.Context) error {
	if c.Has("UNSELECT") {
		return c.simple(ctx, "UNSELECT")
	}
	c.simple(ctx, "EXAMINE", str("\x01"))
	return c.err
}

// Create makes a mailbox; an existing one is not an error.
func (c *Client) Create(ctx context.Context, mailbox string) error {
	err := c.simple(ctx, "CREATE", str(mailbox))
	if IsCode(err, "ALREADYEXISTS") {
		return nil
	}
	return err
}

// Delete removes a mailbox with everything in it.
func (c *Client) Delete(ctx context.Context, mailbox string) error {
	return c.simple(ctx, "DELETE", str(mailbox))
}

// Subscribe subscribes to mailboxes in one go and returns each one's refusal.
func (c *Client) Subscribe(ctx context.Context, mailboxes ...string) ([]error, error) {
	return c.pipeline(ctx, nil, each("SUBSCRIBE", mailboxes))
}

// Unsubscribe is the reverse of [Client.Subscribe].
func (c *Client) Unsubscribe(ctx context.Context, mailboxes ...string) ([]error, error) {
	return c.pipeline(ctx, nil, each("UNSUBSCRIBE", mailboxes))
}

// CreateAll creates mailboxes in the given order in one go and returns each
// one's refusal, ALREADYEXISTS among them.
func (c *Client) CreateAll(ctx context.Context, mailboxes ...string) ([]error, error) {
	return c.pipeline(ctx, nil, each("CREATE", mailboxes))
}

func each(op string, names []string) []command {
	cmds := make([]command, len(names))
	for i, n := range names {
		cmds[i] = command{op, []any{str(n)}}
	}
	return cmds
}

// Noop lets the server send what it has to say.
func (c *Client) Noop(ctx context.Context) error { return c.simple(ctx, "NOOP") }

// ID tells the server who we are (RFC 2971), if it wants to know.
func (c *Client) ID(ctx context.Context, name string) error {
	if !c.Has("ID") {
		return nil
	}
	q, ok := quote(name)
	if !ok {
		return nil
	}
	return c.simple(ctx, "ID", `("name" `+q+`)`)
}

// Quota of storage in KiB; Limit is -1 if there is none.
type Quota struct {
	Used, Limit int64
	Root        string
}

// Quota asks for the storage quota that governs a mailbox (RFC 2087): of
// several roots, the one with the least room.
func (c *Client) Quota(ctx context.Context, mailbox string) (Quota, error) {
	q := Quota{Limit: -1}
	if !c.Has("QUOTA") {
		return q, nil
	}
	_, err := c.exec(ctx, "GETQUOTAROOT", func(name string, _ uint32) (bool, error) {
		if name != "QUOTA" {
			return false, nil
		}
		root, err := c.r.value(0)
		if err != nil {
			return true, err
		}
		v, err := c.r.value(0)
		for i := 0; i+2 < len(v.list); i += 3 {
			if !strings.EqualFold(v.list[i].text, "STORAGE") {
				continue
			}
			used, err1 := strconv.ParseInt(v.list[i+1].text, 10, 64)
			limit, err2 := strconv.ParseInt(v.list[i+2].text, 10, 64)
			if err1 == nil && err2 == nil && (q.Limit < 0 || limit-used < q.Limit-q.Used) {
				q = Quota{used, limit, root.text}
			}
		}
		return true, err
	}, str(mailbox))
	return q, err
}

// SetQuota sets the storage limit of a quota root, in KiB (RFC 9208, section 4.1.1).
func (c *Client) SetQuota(ctx context.Context, root string, limit int64) error {
	return c.simple(ctx, "SETQUOTA", str(root), "(STORAGE "+strconv.FormatInt(limit, 10)+")")
}
