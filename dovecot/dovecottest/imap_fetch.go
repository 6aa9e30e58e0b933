package dovecottest

import (
	"bytes"
	"fmt"
	"net/mail"
	"slices"
	"strings"
)

// fetchItem is one item of a FETCH.
type fetchItem struct {
	name    string // UID, FLAGS, BODY[], ...
	section string // of BODY: "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT
	fields  []string
	peek    bool
	partial bool
	offset  uint64
	length  uint64
	label   string // how BODY[...] is called in the answer
}

func (x *session) fetch() (answer, error)    { return x.fetchCommand(false) }
func (x *session) uidFetch() (answer, error) { return x.fetchCommand(true) }

func (x *session) fetchCommand(uid bool) (answer, error) {
	in := x.in
	set, err := in.set()
	if err != nil {
		return answer{}, err
	}
	if err := in.space(); err != nil {
		return answer{}, err
	}
	items, err := in.fetchItems()
	if err != nil {
		return bad("Error in IMAP command FETCH: Unknown or unsimulated item."), err
	}
	var since uint64
	var vanished bool
	if in.peek() == ' ' {
		if since, vanished, err = in.fetchModifiers(); err != nil {
			return bad("Error in IMAP command FETCH: Unknown FETCH modifier"), err
		}
		if vanished && (!uid || since == 0 || !x.has("QRESYNC")) {
			return bad("VANISHED used without UID FETCH, CHANGEDSINCE and QRESYNC"), errSyntax
		}
	}
	if err := in.end(); err != nil {
		return answer{}, err
	}
	if !uid && !x.inView(set) {
		return bad("Error in IMAP command FETCH: Invalid messageset."), nil
	}
	if since > 0 || slices.ContainsFunc(items, func(i fetchItem) bool { return i.name == "MODSEQ" }) {
		x.condstore()
	}
	if uid && !slices.ContainsFunc(items, func(i fetchItem) bool { return i.name == "UID" }) {
		items = append([]fetchItem{{name: "UID"}}, items...)
	}
	if since > 0 && !slices.ContainsFunc(items, func(i fetchItem) bool { return i.name == "MODSEQ" }) {
		items = append(items, fetchItem{name: "MODSEQ"})
	}
	if vanished {
		x.st.mu.Lock()
		x.vanished(since, set)
		x.st.mu.Unlock()
	}
	for i, m := range x.pick(set, uid) {
		if m == nil {
			continue
		}
		if text, ok := x.fetchOne(i+1, m, items, since); ok {
			x.write(text)
		}
	}
	return ok("Fetch completed."), nil
}

// pick returns the view with nil for what is not in the set.
func (x *session) pick(set numSet, uid bool) []*message {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	list := make([]*message, len(x.view))
	last := uint32(0)
	if len(x.view) > 0 {
		last = x.view[len(x.view)-1].uid
	}
	for i, m := range x.view {
		n, top := uint32(i+1), uint32(len(x.view))
		if uid {
			n, top = m.uid, last
		}
		if set.has(n, top) {
			list[i] = m
		}
	}
	return list
}

// inView reports whether a set names only messages that there are.
func (x *session) inView(set numSet) bool {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	for _, r := range set {
		if max(r[0], r[1]) > uint32(len(x.view)) || len(x.view) == 0 {
			return false
		}
	}
	return true
}

func (x *session) fetchOne(seq int, m *message, items []fetchItem, since uint64) ([]byte, bool) {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if since > 0 && m.modSeq <= since {
		return nil, false
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "* %d FETCH (", seq)
	var showFlags bool
	for i, it := range items {
		if i > 0 {
			b.WriteByte(' ')
		}
		x.fetchValue(&b, m, it)
		if strings.HasPrefix(it.name, "BODY[") && !it.peek && !x.readOnly && !m.hasFlag(`\Seen`) {
			x.st.setFlags(x.box, m, append(slices.Clone(m.flags), `\Seen`), x)
			showFlags = true
		}
	}
	if showFlags {
		fmt.Fprintf(&b, " FLAGS (%s)", x.flagText(m))
	}
	b.WriteString(")\r\n")
	return b.Bytes(), true
}

func (x *session) flagText(m *message) string {
	list := slices.Clone(m.flags)
	if x.recent[m] {
		i := slices.IndexFunc(list, func(f string) bool { return f[0] != '\\' })
		if i < 0 {
			i = len(list)
		}
		list = slices.Insert(list, i, `\Recent`)
	}
	return strings.Join(list, " ")
}

// flagsLine sends a FETCH with the flags of a message.
func (x *session) flagsLine(seq int, m *message, uid, modSeq bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "* %d FETCH (", seq)
	if uid || x.has("QRESYNC") {
		fmt.Fprintf(&b, "UID %d ", m.uid)
	}
	if modSeq || x.has("CONDSTORE") {
		fmt.Fprintf(&b, "MODSEQ (%d) ", m.modSeq)
	}
	x.line("%sFLAGS (%s))", b.String(), x.flagText(m))
}

// internalDate is how dates are sent; the simulator lives in UTC.
const internalDate = "02-Jan-2006 15:04:05 -0700"

func (x *session) fetchValue(b *bytes.Buffer, m *message, it fetchItem) {
	switch it.name {
	case "UID":
		fmt.Fprintf(b, "UID %d", m.uid)
	case "FLAGS":
		fmt.Fprintf(b, "FLAGS (%s)", x.flagText(m))
	case "MODSEQ":
		fmt.Fprintf(b, "MODSEQ (%d)", m.modSeq)
	case "INTERNALDATE":
		fmt.Fprintf(b, `INTERNALDATE "%s"`, m.date.UTC().Format(internalDate))
	case "SAVEDATE":
		fmt.Fprintf(b, `SAVEDATE "%s"`, m.saved.UTC().Format(internalDate))
	case "RFC822.SIZE":
		fmt.Fprintf(b, "RFC822.SIZE %d", len(m.body))
	case "X-GUID":
		fmt.Fprintf(b, "X-GUID %s", m.guid)
	case "ENVELOPE":
		fmt.Fprintf(b, "ENVELOPE %s", envelope(m.body))
	default:
		data := section(m.body, it)
		// NUL cannot be sent; Dovecot shows 0x80.
		data = bytes.ReplaceAll(data, []byte{0}, []byte{0x80})
		label := it.label
		if it.partial {
			from := min(it.offset, uint64(len(data)))
			to := min(from+it.length, uint64(len(data)))
			data = data[from:to]
			label = fmt.Sprintf("%s<%d>", label, it.offset)
		}
		fmt.Fprintf(b, "%s {%d}\r\n", label, len(data))
		b.Write(data)
	}
}

// section cuts a part out of a message.
func section(body []byte, it fetchItem) []byte {
	header, text := splitMessage(body)
	switch it.section {
	case "HEADER":
		return header
	case "TEXT":
		return text
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		var out []byte
		for _, f := range headerFields(body) {
			name, _, _ := strings.Cut(string(f), ":")
			in := slices.ContainsFunc(it.fields, func(s string) bool { return strings.EqualFold(s, strings.TrimSpace(name)) })
			if in == (it.section == "HEADER.FIELDS") {
				out = append(out, f...)
			}
		}
		return append(out, "\r\n"...)
	}
	return body
}

func envelope(body []byte) string {
	one := func(name string) string {
		if v := headerValues(body, name); len(v) > 0 {
			return quote(v[0])
		}
		return "NIL"
	}
	people := func(names ...string) string {
		for _, name := range names {
			v := headerValues(body, name)
			if len(v) == 0 {
				continue
			}
			list, err := mail.ParseAddressList(v[0])
			if err != nil || len(list) == 0 {
				continue
			}
			var b strings.Builder
			for _, a := range list {
				user, host, _ := strings.Cut(a.Address, "@")
				display := "NIL"
				if a.Name != "" {
					display = quote(a.Name)
				}
				fmt.Fprintf(&b, "(%s NIL %s %s)", display, quote(user), quote(host))
			}
			return "(" + b.String() + ")"
		}
		return "NIL"
	}
	return fmt.Sprintf("(%s %s %s %s %s %s %s %s %s %s)", one("Date"), one("Subject"), people("From"),
		people("Sender", "From"),
		people("Reply-To", "From"), people("To"), people("Cc"), people("Bcc"), one("In-Reply-To"), one("Message-ID"))
}

// set reads " sequence-set".
func (l *lexer) set() (numSet, error) {
	if err := l.space(); err != nil {
		return nil, err
	}
	s, err := l.run(func(c byte) bool { return c >= '0' && c <= '9' || c == ',' || c == ':' || c == '*' })
	if err != nil {
		return nil, err
	}
	set, err := parseSet(s)
	if err != nil {
		return nil, errSyntax
	}
	return set, nil
}

func (l *lexer) fetchItems() ([]fetchItem, error) {
	if l.peek() != '(' {
		it, err := l.fetchItem()
		if err != nil {
			return nil, err
		}
		flags, date, size, env := fetchItem{name: "FLAGS"}, fetchItem{name: "INTERNALDATE"}, fetchItem{name: "RFC822.SIZE"},
			fetchItem{name: "ENVELOPE"}
		switch it.name {
		case "FAST":
			return []fetchItem{flags, date, size}, nil
		case "ALL":
			return []fetchItem{flags, date, size, env}, nil
		}
		return []fetchItem{it}, nil
	}
	l.expect('(')
	var list []fetchItem
	for {
		it, err := l.fetchItem()
		if err != nil {
			return nil, err
		}
		if it.name == "FAST" || it.name == "ALL" {
			return nil, errSyntax
		}
		list = append(list, it)
		if l.peek() == ')' {
			return list, l.expect(')')
		}
		if err := l.space(); err != nil {
			return nil, err
		}
	}
}

func (l *lexer) fetchItem() (fetchItem, error) {
	name, err := l.run(func(c byte) bool { return isAtom(c) && c != '[' && c != '<' })
	if err != nil {
		return fetchItem{}, err
	}
	it := fetchItem{name: strings.ToUpper(name)}
	switch it.name {
	case "UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ", "ENVELOPE", "X-GUID", "SAVEDATE", "FAST", "ALL":
		return it, nil
	case "RFC822":
		return fetchItem{name: "BODY[]", label: "RFC822"}, nil
	case "RFC822.HEADER":
		return fetchItem{name: "BODY[]", section: "HEADER", peek: true, label: "RFC822.HEADER"}, nil
	case "RFC822.TEXT":
		return fetchItem{name: "BODY[]", section: "TEXT", label: "RFC822.TEXT"}, nil
	case "BODY", "BODY.PEEK":
		if l.peek() != '[' {
			return it, errSyntax // the structure of messages is not simulated
		}
		it.peek = it.name == "BODY.PEEK"
		return it, l.bodySection(&it)
	}
	return it, errSyntax
}

// bodySection reads "[section]<partial>".
func (l *lexer) bodySection(it *fetchItem) error {
	l.expect('[')
	if l.peek() != ']' {
		s, err := l.run(func(c byte) bool { return isAtom(c) })
		if err != nil {
			return err
		}
		it.section = strings.ToUpper(s)
	}
	it.label = "BODY[" + it.section
	switch it.section {
	case "", "HEADER", "TEXT":
	case "HEADER.FIELDS", "HEADER.FIELDS.NOT":
		if err := l.space(); err != nil {
			return err
		}
		if err := l.expect('('); err != nil {
			return err
		}
		for {
			f, err := l.astring()
			if err != nil {
				return err
			}
			it.fields = append(it.fields, strings.ToUpper(f))
			if l.peek() == ')' {
				break
			}
			if err := l.space(); err != nil {
				return err
			}
		}
		l.expect(')')
		it.label += " (" + strings.Join(it.fields, " ") + ")"
	default:
		return errSyntax // MIME parts are not simulated
	}
	it.label += "]"
	it.name = "BODY[]"
	if err := l.expect(']'); err != nil {
		return err
	}
	if l.peek() != '<' {
		return nil
	}
	l.expect('<')
	var err error
	if it.offset, err = l.number(); err != nil {
		return err
	}
	if err := l.expect('.'); err != nil {
		return err
	}
	if it.length, err = l.number(); err != nil || it.length == 0 {
		return orSyntax(err)
	}
	it.partial = true
	return l.expect('>')
}

// fetchModifiers reads " (CHANGEDSINCE n [VANISHED])".
func (l *lexer) fetchModifiers() (since uint64, vanished bool, err error) {
	l.space()
	if err := l.expect('('); err != nil {
		return 0, false, err
	}
	for {
		w, err := l.atom()
		if err != nil {
			return 0, false, err
		}
		switch strings.ToUpper(w) {
		case "CHANGEDSINCE":
			if err := l.space(); err != nil {
				return 0, false, err
			}
			if since, err = l.number(); err != nil {
				return 0, false, err
			}
			since = max(since, 1)
		case "VANISHED":
			vanished = true
		default:
			return 0, false, errSyntax
		}
		if l.peek() == ')' {
			return since, vanished, l.expect(')')
		}
		if err := l.space(); err != nil {
			return 0, false, err
		}
	}
}
