package dovecottest

import (
	"slices"
	"strconv"
	"strings"
)

// found runs a query over a user's mail.
func (c *mailContext) found(s *Server, st *store, expunging bool) ([]subject, error) {
	words := c.list("query")
	if len(words) == 0 {
		return nil, errDied
	}
	q, err := parseQuery(words, true, s.cfg.separator, s.cfg.now())
	if err != nil {
		return nil, errDied
	}
	if expunging && (!q.hasMailbox || !q.hasOther) {
		return nil, errDied
	}
	for _, n := range q.mailboxes {
		if st.open(n) == nil && !(s.cfg.series24 && c.command == "search") { // which finds nothing in 2.4
			return nil, exit(68)
		}
	}
	var list []subject
	for _, n := range sortedKeys(st.boxes) {
		b := st.boxes[n]
		for _, m := range b.msgs {
			if x := (subject{box: b, msg: m}); q.term(x) {
				list = append(list, x)
			}
		}
	}
	return list, nil
}

func search(s *Server, c *mailContext) ([]row, error) {
	list, err := c.found(s, c.st, false)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, x := range list {
		rows = append(rows, row{{"mailbox-guid", x.box.guid}, {"uid", strconv.FormatUint(uint64(x.msg.uid), 10)}})
	}
	return rows, nil
}

var fetchFields = []string{"uid", "guid", "flags", "mailbox", "mailbox-guid", "date.received", "date.received.unixtime",
	"date.saved", "date.saved.unixtime", "date.sent", "size.virtual", "size.physical", "hdr", "body", "text", "seq",
	"modseq", "user"}

// words splits the elements of a list at blanks, as fields are split.
func words(list []string) []string { return strings.Fields(strings.Join(list, " ")) }

func fetch(s *Server, c *mailContext) ([]row, error) {
	fields := words(c.list("field"))
	if len(fields) == 0 {
		return nil, errDied
	}
	for _, f := range fields {
		if !slices.Contains(fetchFields, f) && !strings.HasPrefix(f, "hdr.") {
			return nil, errDied
		}
	}
	list, err := c.found(s, c.st, false)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, x := range list {
		var r row
		for _, f := range fields {
			r = append(r, field{f, fetchField(c, x, f)})
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func fetchField(c *mailContext, x subject, f string) string {
	m := x.msg
	lf := func(b []byte) string {
		return strings.ReplaceAll(strings.ToValidUTF8(string(b), "\ufffd"), "\r\n", "\n")
	}
	switch f {
	case "uid":
		return strconv.FormatUint(uint64(m.uid), 10)
	case "seq":
		return strconv.Itoa(slices.Index(x.box.msgs, m) + 1)
	case "guid":
		return m.guid
	case "flags":
		return m.flagList()
	case "mailbox":
		return x.box.name
	case "mailbox-guid":
		return x.box.guid
	case "user":
		return c.user.Name
	case "modseq":
		return strconv.FormatUint(m.modSeq, 10)
	case "date.received":
		return m.date.UTC().Format("2006-01-02 15:04:05")
	case "date.received.unixtime":
		return strconv.FormatInt(m.date.Unix(), 10)
	case "date.saved":
		return m.saved.UTC().Format("2006-01-02 15:04:05")
	case "date.saved.unixtime":
		return strconv.FormatInt(m.saved.Unix(), 10)
	case "date.sent":
		for _, v := range headerValues(m.body, "Date") {
			if t, err := parseDate(v); err == nil {
				return t.UTC().Format("2006-01-02 15:04:05 ") + t.Format("(-0700)")
			}
		}
		return "1970-01-01 00:00:00 (+0000)"
	case "size.virtual":
		return strconv.Itoa(len(m.body))
	case "size.physical": // stored with LF
		return strconv.Itoa(len(m.body) - strings.Count(string(m.body), "\r\n"))
	case "hdr":
		h, _ := splitMessage(m.body)
		return lf(h)
	case "body":
		_, b := splitMessage(m.body)
		return lf(b)
	case "text":
		return lf(m.body)
	}
	return strings.Join(headerValues(m.body, strings.TrimPrefix(f, "hdr.")), "\n")
}

// flagList is the flags as Dovecot prints them: system flags, \Recent, then
// keywords.
func (m *message) flagList() string {
	i := slices.IndexFunc(m.flags, func(f string) bool { return f[0] != '\\' })
	if i < 0 {
		i = len(m.flags)
	}
	list := slices.Clone(m.flags)
	if m.recent {
		list = slices.Insert(list, i, `\Recent`)
	}
	return strings.Join(list, " ")
}

func expunge(s *Server, c *mailContext) ([]row, error) {
	list, err := c.found(s, c.st, true)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		c.st.remove(x.box, x.msg)
	}
	return nil, nil
}

// room reports whether a message fits under the user's limit.
func (s *Server) room(u User, st *store, size int) bool {
	l := s.limit(u)
	if l == 0 {
		return true
	}
	used, _ := st.usage()
	return used+int64(size) <= l
}

func save(s *Server, c *mailContext) ([]row, error) {
	if !c.has("file") {
		return nil, errDied
	}
	body := normalise([]byte(c.str("file")))
	name := "INBOX"
	if c.has("mailbox") {
		name = c.str("mailbox")
	}
	b := c.st.open(name)
	if b == nil {
		return nil, exit(68)
	}
	if !s.room(c.user, c.st, len(body)) {
		return nil, exit(73)
	}
	c.st.add(b, &message{date: s.cfg.now(), body: body})
	return nil, nil
}

// copyMessages is copy and move. The source may be another user's mail.
func copyMessages(s *Server, c *mailContext) ([]row, error) {
	if !c.has("destinationMailbox") {
		return nil, errDied
	}
	src := c.st
	if name := c.str("sourceUser"); name != "" && name != c.user.Name {
		if c.str("sourceType") != "user" && !s.cfg.series24 {
			return nil, errDied
		}
		s.mu.Lock()
		u, ok := s.lookup(name)
		if ok {
			src = s.storeAt(u.Home)
		}
		s.mu.Unlock()
		if !ok {
			return nil, errDied
		}
	}
	if src != c.st {
		// Both stores are needed; the other order may be under way elsewhere.
		c.st.mu.Unlock()
		list, err := func() ([]subject, error) {
			src.mu.Lock()
			defer src.mu.Unlock()
			return c.found(s, src, false)
		}()
		c.st.mu.Lock()
		if err != nil {
			return nil, err
		}
		if err := c.put(s, list); err != nil {
			return nil, err
		}
		if c.command == "move" {
			c.st.mu.Unlock()
			src.mu.Lock()
			for _, x := range list {
				src.remove(x.box, x.msg)
			}
			src.mu.Unlock()
			c.st.mu.Lock()
		}
		return nil, nil
	}
	list, err := c.found(s, src, false)
	if err != nil {
		return nil, err
	}
	if err := c.put(s, list); err != nil {
		return nil, err
	}
	if c.command == "move" {
		for _, x := range list {
			src.remove(x.box, x.msg)
		}
	}
	return nil, nil
}

// put stores copies. 2.3.19 complains of each message that exceeds the quota,
// keeps it all the same, and ends without an answer; move asks no quota.
func (c *mailContext) put(s *Server, list []subject) error {
	b := c.st.open(c.str("destinationMailbox"))
	if b == nil {
		return exit(68)
	}
	var err error
	for _, x := range list {
		if c.command == "copy" && !s.room(c.user, c.st, len(x.msg.body)) {
			err = errDied
		}
		c.st.add(b, &message{flags: slices.Clone(x.msg.flags), date: x.msg.date, body: x.msg.body})
	}
	return err
}

func changeFlags(s *Server, c *mailContext) ([]row, error) {
	flags := c.list("flag")
	if len(flags) == 0 {
		return nil, errDied
	}
	for _, f := range flags {
		if strings.HasPrefix(f, `\`) && len(cleanFlags([]string{f})) == 0 {
			return nil, errDied
		}
	}
	list, err := c.found(s, c.st, false)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		var next []string
		switch c.command {
		case "flagsReplace":
			next = flags
		case "flagsAdd":
			next = append(slices.Clone(x.msg.flags), flags...)
		case "flagsRemove":
			next = slices.DeleteFunc(slices.Clone(x.msg.flags), func(f string) bool {
				return slices.ContainsFunc(flags, func(g string) bool { return strings.EqualFold(f, g) })
			})
		}
		c.st.setFlags(x.box, x.msg, next, nil)
	}
	return nil, nil
}
