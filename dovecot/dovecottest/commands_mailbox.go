package dovecottest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// firstError keeps the first failure, except that 75 always wins.
func firstError(have, next error) error {
	if have == nil || next == exit(75) {
		return next
	}
	return have
}

func mailboxList(s *Server, c *mailContext) ([]row, error) {
	names := c.st.names()
	if c.flag("subscriptions") {
		names = c.st.subscribed()
	}
	sep := s.cfg.separator
	show := func(n string) row {
		if c.flag("mutf7") {
			n = imapwire.EncodeName(n)
		}
		return row{{"mailbox", n}}
	}
	masks := c.list("mailboxMask")
	if len(masks) == 0 {
		masks = []string{"*"}
	}
	if !slices.ContainsFunc(masks, func(m string) bool { return strings.ContainsAny(m, "*%") }) {
		var rows []row
		for _, m := range masks {
			rows = append(rows, show(m)) // echoed, existing or not
		}
		return rows, nil
	}
	var rows []row
	for _, n := range names {
		if slices.ContainsFunc(masks, func(m string) bool { return matchMask(foldInbox(m, sep), n, sep) }) {
			rows = append(rows, show(n))
		}
	}
	return rows, nil
}

var statusFields = []string{"messages", "recent", "uidnext", "uidvalidity", "unseen", "highestmodseq", "vsize",
	"guid", "firstsaved"}

// totals sums the fields of mailboxes up that can be summed.
func totals(boxes []*mailbox, fields []string) (r row) {
	sums := map[string]int64{}
	for _, b := range boxes {
		for _, f := range fields {
			n, err := strconv.ParseInt(b.status(f), 10, 64)
			if err != nil {
				continue
			}
			sums[f] += n
		}
	}
	for _, f := range fields {
		if f == "messages" || f == "recent" || f == "unseen" || f == "vsize" {
			r = append(r, field{f, strconv.FormatInt(sums[f], 10)})
		}
	}
	return r
}

func mailboxStatus(s *Server, c *mailContext) ([]row, error) {
	masks, fields := c.list("mailboxMask"), words(c.list("field"))
	if len(masks) == 0 || len(fields) == 0 {
		return nil, errDied
	}
	if slices.Contains(fields, "all") {
		fields = statusFields
	}
	for _, f := range fields {
		if !slices.Contains(statusFields, f) {
			return nil, errDied
		}
	}
	var boxes []*mailbox
	if slices.ContainsFunc(masks, func(m string) bool { return strings.ContainsAny(m, "*%") }) {
		for _, n := range sortedKeys(c.st.boxes) {
			if slices.ContainsFunc(masks, func(m string) bool {
				return matchMask(foldInbox(m, s.cfg.separator), n, s.cfg.separator)
			}) {
				boxes = append(boxes, c.st.boxes[n])
			}
		}
	} else {
		for _, m := range masks {
			b := c.st.open(m)
			if b == nil {
				return nil, exit(68)
			}
			boxes = append(boxes, b)
		}
	}
	if c.flag("totalSum") {
		return []row{totals(boxes, fields)}, nil
	}
	var rows []row
	for _, b := range boxes {
		r := row{{"mailbox", b.name}}
		for _, f := range fields {
			r = append(r, field{f, b.status(f)})
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (b *mailbox) status(f string) string {
	var n int64
	switch f {
	case "messages":
		n = int64(len(b.msgs))
	case "recent":
		for _, m := range b.msgs {
			if m.recent {
				n++
			}
		}
	case "unseen":
		for _, m := range b.msgs {
			if !m.hasFlag(`\Seen`) {
				n++
			}
		}
	case "uidnext":
		n = int64(b.uidNext)
	case "uidvalidity":
		n = int64(b.validity)
	case "highestmodseq":
		n = int64(b.modSeq)
	case "vsize":
		n = b.bytes
	case "guid":
		return b.guid
	case "firstsaved":
		if len(b.msgs) == 0 {
			return "never"
		}
		n = b.msgs[0].saved.Unix()
	}
	return strconv.FormatInt(n, 10)
}

func mailboxCreate(s *Server, c *mailContext) ([]row, error) {
	names := c.list("mailbox")
	if len(names) == 0 {
		return nil, errDied
	}
	guid := c.str("guid")
	if guid != "" && (len(guid) != 32 || strings.Trim(guid, "0123456789abcdef") != "") {
		return nil, errDied
	}
	var failed error
	for _, n := range names {
		if c.st.checkName(n) != "" {
			failed = firstError(failed, exit(64))
			continue
		}
		n = c.st.canonical(n)
		if c.st.boxes[n] != nil {
			failed = firstError(failed, exit(65))
			continue
		}
		b := c.st.create(n)
		if guid != "" {
			b.guid = guid
		}
		if c.flag("subscriptions") {
			c.st.subs[n] = true
		}
	}
	return nil, failed
}

func mailboxDelete(s *Server, c *mailContext) ([]row, error) {
	names := c.list("mailbox")
	if len(names) == 0 {
		return nil, errDied
	}
	var failed error
	for _, n := range names {
		if err := c.deleteOne(n); err != nil {
			failed = firstError(failed, err)
		}
	}
	return nil, failed
}

func (c *mailContext) deleteOne(name string) error {
	if name == "" {
		if !c.flag("recursive") {
			return exit(64)
		}
		return c.deleteAll()
	}
	if c.st.checkName(name) != "" {
		return exit(64)
	}
	name = c.st.canonical(name)
	var failed error
	unsubscribe := func(name string) { // whatever becomes of the mailbox
		if c.flag("subscriptions") {
			delete(c.st.subs, name)
		}
	}
	if c.flag("recursive") {
		for _, kid := range c.st.children(name) {
			unsubscribe(kid.name)
			if c.flag("requireEmpty") && len(kid.msgs) > 0 {
				failed = exit(65)
				continue
			}
			c.st.drop(kid)
		}
	}
	unsubscribe(name)
	b := c.st.open(name)
	switch {
	case b == nil:
		return firstError(failed, exit(68))
	case c.flag("requireEmpty") && len(b.msgs) > 0:
		return exit(65)
	case name == "INBOX":
		for len(b.msgs) > 0 {
			c.st.remove(b, b.msgs[0])
		}
		return exit(65)
	}
	c.st.drop(b)
	return failed
}

// deleteAll is a recursive delete of the empty name, with "unsafe" or without:
// every mailbox goes, and INBOX is emptied.
func (c *mailContext) deleteAll() error {
	var failed error
	for _, n := range c.st.names() {
		switch b := c.st.boxes[n]; {
		case n == "INBOX":
		case b != nil:
			c.st.drop(b)
		default:
			if _, auto := c.st.auto(n); !auto {
				failed = firstError(failed, exit(68)) // a parent only
			}
		}
	}
	inbox := c.st.open("INBOX")
	for len(inbox.msgs) > 0 {
		c.st.remove(inbox, inbox.msgs[0])
	}
	return firstError(failed, exit(65))
}

func mailboxRename(s *Server, c *mailContext) ([]row, error) {
	if !c.has("mailbox") || !c.has("newName") {
		return nil, errDied
	}
	from, to := c.st.canonical(c.str("mailbox")), c.st.canonical(c.str("newName"))
	if c.st.checkName(c.str("newName")) != "" || c.st.checkName(c.str("mailbox")) != "" {
		return nil, exit(64)
	}
	switch {
	case from == "INBOX" || to == "INBOX":
		return nil, exit(65)
	case c.st.boxes[from] == nil && len(c.st.children(from)) == 0:
		return nil, exit(68)
	case c.st.boxes[to] != nil || len(c.st.children(to)) > 0:
		return nil, exit(65)
	case strings.HasPrefix(to, from+s.cfg.separator):
		return nil, exit(65) // Dovecot makes a mess of it and says yes
	}
	c.st.rename(from, to)
	if c.flag("subscriptions") && c.st.subs[from] {
		delete(c.st.subs, from)
		c.st.subs[to] = true
	}
	return nil, nil
}

func mailboxSubscribe(s *Server, c *mailContext) ([]row, error) {
	if len(c.list("mailbox")) == 0 {
		return nil, errDied
	}
	for _, n := range c.list("mailbox") {
		c.st.subs[c.st.canonical(n)] = true // existing or not
	}
	return nil, nil
}

func mailboxUnsubscribe(s *Server, c *mailContext) ([]row, error) {
	if len(c.list("mailbox")) == 0 {
		return nil, errDied
	}
	for _, n := range c.list("mailbox") {
		delete(c.st.subs, c.st.canonical(n))
	}
	return nil, nil
}

func mailboxPath(s *Server, c *mailContext) ([]row, error) {
	names := c.list("mailbox")
	if len(names) != 1 {
		return nil, errDied
	}
	p := c.user.Home + "/Maildir"
	if n := c.st.canonical(names[0]); n != "INBOX" {
		p += "/." + strings.ReplaceAll(imapwire.EncodeName(n), s.cfg.separator, ".")
	}
	return []row{{{"path", p}}}, nil
}

func mailboxUpdate(s *Server, c *mailContext) ([]row, error) {
	b := c.st.open(c.str("mailbox"))
	if b == nil {
		return nil, exit(68)
	}
	if n, err := strconv.ParseUint(c.str("uidValidity"), 10, 32); err == nil {
		b.validity = uint32(n)
	}
	if n, err := strconv.ParseUint(c.str("minNextUid"), 10, 32); err == nil {
		b.uidNext = max(b.uidNext, uint32(n))
	}
	if g := c.str("mailboxGuid"); g != "" {
		b.guid = g
	}
	return nil, nil
}

func mailboxMetadataGet(s *Server, c *mailContext) ([]row, error) {
	if !c.has("mailbox") || !c.has("key") {
		return nil, errDied
	}
	if c.str("key") != "/private/specialuse" {
		return nil, exit(65) // the others need a mail_attribute_dict
	}
	return []row{{{"value", c.st.specialUse(c.st.canonical(c.str("mailbox")))}}}, nil
}

func quotaGet(s *Server, c *mailContext) ([]row, error) {
	bytes, count := c.st.usage()
	limit, percent := "-", "0"
	used := (bytes + 1023) / 1024
	if l := (s.limit(c.user) + 1023) / 1024; l > 0 {
		limit = strconv.FormatInt(l, 10)
		percent = strconv.FormatInt(used*100/l, 10)
	}
	return []row{
		{{"root", "User quota"}, {"type", "STORAGE"}, {"value", strconv.FormatInt(used, 10)}, {"limit", limit},
			{"percent", percent}},
		{{"root", "User quota"}, {"type", "MESSAGE"}, {"value", strconv.FormatInt(count, 10)}, {"limit", "-"},
			{"percent", "0"}},
	}, nil
}

var aclWords = []string{"admin", "create", "delete", "expunge", "insert", "lookup", "post", "read", "write",
	"write-deleted", "write-seen"}

func (c *mailContext) aclBox() (*mailbox, error) {
	if !c.has("mailbox") {
		return nil, errDied
	}
	b := c.st.open(c.str("mailbox"))
	if b == nil {
		return nil, exit(68)
	}
	return b, nil
}

func aclGet(s *Server, c *mailContext) ([]row, error) {
	b, err := c.aclBox()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, id := range sortedKeys(b.acl) {
		rows = append(rows, row{{"id", id}, {"global", ""}, {"rights", strings.Join(b.acl[id], " ")}})
	}
	return rows, nil
}

func aclRightsOf(s *Server, c *mailContext) ([]row, error) {
	if _, err := c.aclBox(); err != nil {
		return nil, err
	}
	return []row{{{"rights", "lookup read write write-seen write-deleted insert post expunge create delete admin"}}}, nil
}

func aclChange(s *Server, c *mailContext) ([]row, error) {
	id := c.str("id")
	kind, name, named := strings.Cut(strings.TrimPrefix(id, "-"), "=")
	switch {
	case named && name != "" && (kind == "user" || kind == "group" || kind == "group-override"):
	case !named && (kind == "owner" || kind == "anyone" || kind == "authenticated"):
	default:
		return nil, errDied
	}
	rights := c.list("right")
	if len(rights) == 0 && c.command != "aclDelete" {
		return nil, errDied
	}
	for _, r := range rights {
		if !slices.Contains(aclWords, r) {
			return nil, errDied
		}
	}
	b, err := c.aclBox()
	if err != nil {
		return nil, err
	}
	have := slices.Clone(b.acl[id])
	switch c.command {
	case "aclDelete":
		have = nil
	case "aclSet":
		have = rights
	case "aclAdd":
		have = append(have, rights...)
	case "aclRemove":
		have = slices.DeleteFunc(have, func(r string) bool { return slices.Contains(rights, r) })
	}
	if b.acl == nil {
		b.acl = map[string][]string{}
	}
	if len(have) == 0 {
		delete(b.acl, id)
		return nil, nil
	}
	have = slices.Clone(have)
	slices.Sort(have)
	b.acl[id] = slices.Compact(have)
	return nil, nil
}
