package dovecottest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// changed are the flags of a message after STORE.
func flagsAfter(action string, old, flags []string) []string {
	switch action {
	case "+FLAGS":
		return append(slices.Clone(old), flags...)
	case "-FLAGS":
		return slices.DeleteFunc(slices.Clone(old), func(f string) bool {
			return slices.ContainsFunc(flags, func(g string) bool { return strings.EqualFold(f, g) })
		})
	}
	return flags
}

// unchangedSince reads the modifier of STORE, if there is one.
func (in *lexer) unchangedSince() (modSeq uint64, given bool, err error) {
	if in.peek() != '(' {
		return ^uint64(0), false, nil
	}
	in.expect('(')
	w, err := in.atom()
	if err != nil || !strings.EqualFold(w, "UNCHANGEDSINCE") {
		return 0, true, orSyntax(err)
	}
	if err := in.space(); err != nil {
		return 0, true, err
	}
	if modSeq, err = in.number(); err != nil {
		return 0, true, err
	}
	if err := in.expect(')'); err != nil {
		return 0, true, err
	}
	return modSeq, true, in.space()
}

// storeChange reads what STORE is to do, to its end.
func (in *lexer) storeChange() (action string, flags []string, err error) {
	if action, err = in.run(func(c byte) bool { return isAtom(c) || c == '+' }); err != nil {
		return "", nil, err
	}
	if err := in.space(); err != nil {
		return "", nil, err
	}
	if in.peek() == '(' {
		flags, err = in.words()
	} else {
		var f string
		f, err = in.run(func(c byte) bool { return isAtom(c) || c == '\\' })
		flags = []string{f}
	}
	if err != nil {
		return "", nil, err
	}
	return action, flags, in.end()
}

func (x *session) store() (answer, error)    { return x.storeCommand(false) }
func (x *session) uidStore() (answer, error) { return x.storeCommand(true) }

// storeCommand is STORE, with UNCHANGEDSINCE (RFC 7162).
func (x *session) storeCommand(uid bool) (answer, error) {
	in := x.in
	set, err := in.set()
	if err != nil {
		return answer{}, err
	}
	if err := in.space(); err != nil {
		return answer{}, err
	}
	unchanged, given, err := in.unchangedSince()
	if err != nil {
		return answer{}, err
	}
	if given {
		defer x.condstore()
	}
	action, flags, err := in.storeChange()
	if err != nil {
		return answer{}, err
	}
	action, silent := strings.CutSuffix(strings.ToUpper(action), ".SILENT")
	if action != "FLAGS" && action != "+FLAGS" && action != "-FLAGS" {
		return bad("Error in IMAP command STORE: Invalid arguments."), nil
	}
	for _, f := range flags {
		if a := checkFlag(f); a.status != "" {
			return a, nil
		}
	}
	if x.readOnly {
		return ok("Store ignored with read-only mailbox."), nil
	}
	if !uid && !x.inView(set) {
		return bad("Error in IMAP command STORE: Invalid messageset."), nil
	}
	var modified []uint32
	for i, m := range x.pick(set, uid) {
		if m == nil {
			continue
		}
		x.st.mu.Lock()
		if m.modSeq > unchanged {
			n := uint32(i + 1)
			if uid {
				n = m.uid
			}
			modified = append(modified, n)
			x.st.mu.Unlock()
			continue
		}
		next := flagsAfter(action, m.flags, flags)
		x.tellStored(i+1, m, x.st.setFlags(x.box, m, next, x), silent, uid)
		x.st.mu.Unlock()
	}
	if len(modified) > 0 {
		return ok("[MODIFIED %s] Conditional store failed.", formatSet(modified)), nil
	}
	return ok("Store completed."), nil
}

// tellStored tells the session of the flags that it has changed itself.
func (x *session) tellStored(seq int, m *message, changed, silent, uid bool) {
	if !changed {
		return
	}
	if len(x.allFlags()) > x.keywords {
		x.flagsKnown()
	}
	if !silent {
		x.flagsLine(seq, m, uid, false)
		return
	}
	if x.has("CONDSTORE") {
		id := ""
		if uid || x.has("QRESYNC") {
			id = fmt.Sprintf("UID %d ", m.uid)
		}
		x.line("* %d FETCH (%sMODSEQ (%d))", seq, id, m.modSeq)
	}
}

func (x *session) copy() (answer, error)    { return x.copyCommand(false, false) }
func (x *session) uidCopy() (answer, error) { return x.copyCommand(true, false) }
func (x *session) move() (answer, error)    { return x.copyCommand(false, true) }
func (x *session) uidMove() (answer, error) { return x.copyCommand(true, true) }

func (x *session) copyCommand(uid, move bool) (answer, error) {
	set, err := x.in.set()
	if err != nil {
		return answer{}, err
	}
	name, a, err := x.oneMailbox()
	if err != nil {
		return a, err
	}
	if !uid && !x.inView(set) {
		return bad("Error in IMAP command COPY: Invalid messageset."), nil
	}
	list := slices.DeleteFunc(x.pick(set, uid), func(m *message) bool { return m == nil })
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	to := x.st.open(name)
	if to == nil {
		return no("[TRYCREATE] Mailbox doesn't exist: %s", imapwire.EncodeName(name)), nil
	}
	if move && x.readOnly {
		return no("[READ-ONLY] Mailbox is read-only"), nil
	}
	var size int
	list = slices.DeleteFunc(list, func(m *message) bool { return !slices.Contains(x.box.msgs, m) })
	for _, m := range list {
		size += len(m.body)
	}
	if !move && !x.srv.room(x.user, x.st, size) {
		return no("[OVERQUOTA] Quota exceeded (mailbox for user is full)"), nil
	}
	if len(list) == 0 {
		return ok("No messages found."), nil
	}
	var from, into []uint32
	for _, m := range list {
		c := &message{flags: slices.Clone(m.flags), date: m.date, body: m.body}
		x.st.add(to, c)
		from, into = append(from, m.uid), append(into, c.uid)
	}
	code := fmt.Sprintf("[COPYUID %d %s %s]", to.validity, formatSet(from), formatSet(into))
	if !move {
		return ok("%s Copy completed.", code), nil
	}
	x.line("* OK %s Moved UIDs.", code)
	for _, m := range list {
		x.st.remove(x.box, m)
	}
	return ok("Move completed."), nil
}

func (x *session) expunge() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	return x.expungeCommand(nil)
}

func (x *session) uidExpunge() (answer, error) {
	set, err := x.in.set()
	if err != nil {
		return answer{}, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	return x.expungeCommand(set)
}

func (x *session) expungeCommand(set numSet) (answer, error) {
	if x.readOnly {
		return ok("Expunge completed."), nil
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	x.expungeDeleted(set)
	if x.has("QRESYNC") {
		return ok("[HIGHESTMODSEQ %d] Expunge completed.", x.box.modSeq), nil
	}
	return ok("Expunge completed."), nil
}

// expungeDeleted removes messages with \Deleted, of a UID set or all.
func (x *session) expungeDeleted(set numSet) {
	for _, m := range slices.Clone(x.box.msgs) {
		if m.hasFlag(`\Deleted`) && (set == nil || set.has(m.uid, x.box.lastUID())) {
			x.st.remove(x.box, m)
		}
	}
}

func (x *session) search() (answer, error)    { return x.searchCommand(false) }
func (x *session) uidSearch() (answer, error) { return x.searchCommand(true) }

// searchCommand is SEARCH with RETURN (RFC 4731).
func (x *session) searchCommand(uid bool) (answer, error) {
	in := x.in
	if err := in.space(); err != nil {
		return answer{}, err
	}
	words, err := in.searchWords()
	if err != nil {
		return answer{}, err
	}
	if err := in.end(); err != nil {
		return answer{}, err
	}
	var returns []string
	esearch := false
	if len(words) > 1 && strings.EqualFold(words[0], "RETURN") && words[1] == "(" {
		end := slices.Index(words, ")")
		if end < 0 {
			return bad("Error in IMAP command SEARCH: Missing ')'"), nil
		}
		for _, w := range words[2:end] {
			returns = append(returns, strings.ToUpper(w))
		}
		if len(returns) == 0 {
			returns = []string{"ALL"}
		}
		words, esearch = words[end+1:], true
	}
	if len(words) > 1 && strings.EqualFold(words[0], "CHARSET") {
		if c := strings.ToUpper(words[1]); c != "UTF-8" && c != "US-ASCII" {
			return no("[BADCHARSET] Unknown charset"), nil
		}
		words = words[2:]
	}
	q, err := parseQuery(words, false, x.srv.cfg.separator, x.srv.cfg.now())
	if err != nil {
		return bad("Error in IMAP command SEARCH: Unknown argument"), nil
	}
	if q.modSeq {
		x.condstore()
	}
	var hits []uint32
	var top uint64
	x.st.mu.Lock()
	for i, m := range x.view {
		if !q.term(subject{box: x.box, msg: m, seq: uint32(i + 1), max: uint32(len(x.view))}) {
			continue
		}
		n := uint32(i + 1)
		if uid {
			n = m.uid
		}
		hits = append(hits, n)
		top = max(top, m.modSeq)
	}
	x.st.mu.Unlock()
	if !esearch {
		var b strings.Builder
		for _, n := range hits {
			fmt.Fprintf(&b, " %d", n)
		}
		if q.modSeq && len(hits) > 0 {
			fmt.Fprintf(&b, " (MODSEQ %d)", top)
		}
		x.line("* SEARCH%s", b.String())
		return ok("Search completed."), nil
	}
	x.esearch(uid, returns, hits)
	return ok("Search completed."), nil
}

func (x *session) esearch(uid bool, returns []string, hits []uint32) {
	var b strings.Builder
	fmt.Fprintf(&b, " (TAG %s)", quote(x.tag))
	if uid {
		b.WriteString(" UID")
	}
	if len(hits) > 0 {
		if slices.Contains(returns, "MIN") {
			fmt.Fprintf(&b, " MIN %d", hits[0])
		}
		if slices.Contains(returns, "MAX") {
			fmt.Fprintf(&b, " MAX %d", hits[len(hits)-1])
		}
		if slices.Contains(returns, "ALL") {
			fmt.Fprintf(&b, " ALL %s", formatSet(hits))
		}
	}
	if slices.Contains(returns, "COUNT") {
		fmt.Fprintf(&b, " COUNT %d", len(hits))
	}
	x.line("* ESEARCH%s", b.String())
}

// searchWords reads the rest of a SEARCH; parentheses become words of their
// own.
func (l *lexer) searchWords() ([]string, error) {
	var list []string
	for {
		switch c := l.peek(); c {
		case '\r', '\n', 0:
			return list, nil
		case ' ':
			l.byte()
		case '(', ')':
			l.byte()
			list = append(list, string(c))
		default:
			var w string
			var err error
			if c == '"' || c == '{' {
				w, err = l.astring()
			} else {
				w, err = l.run(func(c byte) bool { return isAtom(c) || strings.IndexByte(`*\]`, c) >= 0 })
			}
			if err != nil {
				return nil, err
			}
			list = append(list, w)
		}
	}
}
