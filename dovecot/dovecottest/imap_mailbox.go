package dovecottest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// mailboxArgument reads " name" in modified UTF-7. A name that is none is a NO
// answer, not a syntax error, as with Dovecot.
func (x *session) mailboxArgument() (string, answer, error) {
	if err := x.in.space(); err != nil {
		return "", answer{}, err
	}
	raw, err := x.in.astring()
	if err != nil {
		return "", answer{}, err
	}
	name, valid := imapwire.DecodeName(raw)
	if !valid {
		return "", no("Mailbox name is not valid mUTF-7: %s", strings.ToValidUTF8(raw, "?")), errSyntax
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	return x.st.canonical(name), answer{}, nil
}

// oneMailbox reads a command with a mailbox name and nothing else.
func (x *session) oneMailbox() (string, answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil {
		return "", a, err
	}
	return name, answer{}, x.in.end()
}

func missing(code, name string) answer {
	if len(imapwire.EncodeName(name)) >= 255 {
		code = "[CANNOT] "
	}
	return no(code+"Mailbox doesn't exist: %s", imapwire.EncodeName(name))
}

func (x *session) selectBox() (answer, error) { return x.open(false) }
func (x *session) examine() (answer, error)   { return x.open(true) }

// resync is the parameter QRESYNC; zero where it was not given.
type resync struct{ validity, modSeq uint64 }

// openParameters reads the parameters of SELECT, if there are any.
func (x *session) openParameters() (r resync, a answer, err error) {
	if x.in.peek() != ' ' {
		return r, a, nil
	}
	x.in.space()
	if err := x.in.expect('('); err != nil {
		return r, a, err
	}
	for {
		w, err := x.in.atom()
		if err != nil {
			return r, a, err
		}
		switch strings.ToUpper(w) {
		case "CONDSTORE":
			x.enabled["CONDSTORE"] = struct{}{}
		case "QRESYNC":
			if !x.has("QRESYNC") {
				return r, bad("QRESYNC not enabled"), errSyntax
			}
			if r.validity, r.modSeq, err = x.in.resync(); err != nil {
				return r, a, err
			}
		default:
			return r, bad("Unknown SELECT parameter"), errSyntax
		}
		if x.in.peek() == ')' {
			break
		}
		if err := x.in.space(); err != nil {
			return r, a, err
		}
	}
	return r, a, x.in.expect(')')
}

// open is SELECT and EXAMINE with the parameters CONDSTORE and QRESYNC
// (RFC 7162).
func (x *session) open(readOnly bool) (answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil {
		return a, err
	}
	resync, a, err := x.openParameters()
	if err != nil {
		return a, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	if x.box != nil {
		x.unselect()
		x.line("* OK [CLOSED] Previous mailbox closed.")
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	b := x.st.open(name)
	if b == nil {
		return missing("", name), nil
	}
	x.box, x.readOnly = b, readOnly
	x.view = slices.Clone(b.msgs)
	x.recent, x.flagged, x.dirty = map[*message]bool{}, nil, false
	b.watchers[x] = true
	for _, m := range x.view {
		x.claimRecent(m)
	}
	x.flagsKnown()
	x.line("* %d EXISTS", len(x.view))
	x.line("* %d RECENT", len(x.recent))
	if i := slices.IndexFunc(x.view, func(m *message) bool { return !m.hasFlag(`\Seen`) }); i >= 0 {
		x.line("* OK [UNSEEN %d] First unseen.", i+1)
	}
	x.line("* OK [UIDVALIDITY %d] UIDs valid", b.validity)
	x.line("* OK [UIDNEXT %d] Predicted next UID", b.uidNext)
	if b.tracked = b.tracked || x.has("CONDSTORE"); b.tracked {
		x.line("* OK [HIGHESTMODSEQ %d] Highest", b.modSeq)
	}
	if resync.validity == uint64(b.validity) && resync.modSeq > 0 {
		x.vanished(resync.modSeq, nil)
		for i, m := range x.view {
			if m.modSeq > resync.modSeq {
				x.flagsLine(i+1, m, true, true)
			}
		}
	}
	if readOnly {
		return ok("[READ-ONLY] Examine completed."), nil
	}
	return ok("[READ-WRITE] Select completed."), nil
}

// resync reads " (uidvalidity modseq [known uids] [...])".
func (l *lexer) resync() (validity, modSeq uint64, err error) {
	if err = l.space(); err != nil {
		return 0, 0, err
	}
	if err = l.expect('('); err != nil {
		return 0, 0, err
	}
	if validity, err = l.number(); err != nil {
		return 0, 0, err
	}
	if err = l.space(); err != nil {
		return 0, 0, err
	}
	if modSeq, err = l.number(); err != nil {
		return 0, 0, err
	}
	for depth := 1; depth > 0; {
		c, err := l.byte()
		if err != nil {
			return 0, 0, err
		}
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '\r', '\n':
			l.r.UnreadByte()
			return 0, 0, errSyntax
		}
	}
	return validity, modSeq, nil
}

// vanished sends what was expunged since a modification sequence.
func (x *session) vanished(since uint64, in numSet) {
	var uids []uint32
	for _, e := range x.box.expunged {
		if e.modSeq > since && (in == nil || in.has(e.uid, x.box.uidNext-1)) {
			uids = append(uids, e.uid)
		}
	}
	if len(uids) > 0 {
		slices.Sort(uids)
		x.line("* VANISHED (EARLIER) %s", formatSet(uids))
	}
}

// flagsKnown tells the client which flags there are.
func (x *session) flagsKnown() {
	all := x.allFlags()
	x.keywords = len(all)
	x.line(`* FLAGS (%s)`, strings.Join(all, " "))
	if x.readOnly {
		x.line("* OK [PERMANENTFLAGS ()] Read-only mailbox.")
	} else {
		x.line(`* OK [PERMANENTFLAGS (%s \*)] Flags permitted.`, strings.Join(all, " "))
	}
}

// allFlags are the system flags and the keywords in use.
func (x *session) allFlags() []string {
	set := map[string]bool{}
	for _, m := range x.box.msgs {
		for _, f := range m.flags {
			if f[0] != '\\' {
				set[f] = true
			}
		}
	}
	return append(slices.Clone(systemFlags), sortedKeys(set)...)
}

// unselect leaves the selected mailbox, if any.
func (x *session) unselect() {
	if x.box == nil {
		return
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	delete(x.box.watchers, x)
	x.box, x.view, x.recent, x.flagged = nil, nil, nil, nil
}

func (x *session) unselectCommand() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.unselect()
	return ok("Unselect completed."), nil
}

func (x *session) close() (answer, error) {
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	if !x.readOnly {
		x.st.mu.Lock()
		x.expungeDeleted(nil)
		x.st.mu.Unlock()
	}
	x.unselect()
	return ok("Close completed."), nil
}

// create ignores USE: special use is configuration.
func (x *session) create() (answer, error) {
	if err := x.in.space(); err != nil {
		return answer{}, err
	}
	raw, err := x.in.astring()
	if err != nil {
		return answer{}, err
	}
	if err := x.in.skipArguments(); err != nil {
		return answer{}, err
	}
	name, valid := imapwire.DecodeName(raw)
	if !valid {
		return no("Mailbox name is not valid mUTF-7: %s", strings.ToValidUTF8(raw, "?")), nil
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if len(raw) == 255 { // the file system refuses it, and not the rules for names
		return no("Mailbox name too long"), nil
	}
	if why := x.st.checkName(name); why != "" {
		return no("[CANNOT] %s", why), nil
	}
	name = x.st.canonical(name)
	if x.st.boxes[name] != nil || name == "INBOX" {
		return no("[ALREADYEXISTS] Mailbox already exists"), nil
	}
	x.st.create(name)
	return ok("Create completed."), nil
}

func (x *session) delete() (answer, error) {
	name, a, err := x.oneMailbox()
	if err != nil {
		return a, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if name == "INBOX" {
		return no("INBOX can't be deleted."), nil
	}
	b := x.st.open(name)
	if b == nil {
		return missing("[NONEXISTENT] ", name), nil
	}
	x.st.drop(b)
	for w := range b.watchers {
		w.touch()
	}
	return ok("Delete completed."), nil
}

func (x *session) rename() (answer, error) {
	from, a, err := x.mailboxArgument()
	if err != nil {
		return a, err
	}
	to, a, err := x.oneMailbox()
	if err != nil {
		return a, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if why := x.st.checkName(to); why != "" {
		return no("[CANNOT] %s", why), nil
	}
	switch {
	case from == "INBOX" || strings.HasPrefix(to, from+x.srv.cfg.separator):
		return no("[CANNOT] Can't rename %s to %s", imapwire.EncodeName(from), imapwire.EncodeName(to)), nil
	case x.st.boxes[from] == nil && len(x.st.children(from)) == 0:
		return missing("[NONEXISTENT] ", from), nil
	case x.st.boxes[to] != nil || len(x.st.children(to)) > 0 || to == "INBOX":
		return no("[ALREADYEXISTS] Target mailbox already exists"), nil
	}
	x.st.rename(from, to)
	return ok("Rename completed."), nil
}

func (x *session) subscribe() (answer, error) {
	name, a, err := x.oneMailbox()
	if err != nil {
		return a, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if !slices.Contains(x.st.names(), name) {
		return no("Mailbox doesn't exist: %s", imapwire.EncodeName(name)), nil
	}
	x.st.subs[name] = true
	return ok("Subscribe completed."), nil
}

func (x *session) unsubscribe() (answer, error) {
	name, a, err := x.oneMailbox()
	if err != nil {
		return a, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	delete(x.st.subs, name)
	return ok("Unsubscribe completed."), nil
}

func (x *session) status() (answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil {
		return a, err
	}
	if err := x.in.space(); err != nil {
		return answer{}, err
	}
	items, err := x.in.words()
	if err != nil {
		return answer{}, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	b := x.st.open(name)
	if b == nil {
		return missing("", name), nil
	}
	text, err := x.statusOf(b, items)
	if err != nil {
		return bad("Error in IMAP command STATUS: %s", err), nil
	}
	x.line("* STATUS %s (%s)", quoteMailbox(name), text)
	if x.box == b {
		return ok("[CLIENTBUG] Status on selected mailbox completed."), nil
	}
	return ok("Status completed."), nil
}

// statusItems in the order in which Dovecot answers them, with its own X-GUID.
var statusItems = []struct{ item, field string }{
	{"MESSAGES", "messages"}, {"RECENT", "recent"}, {"UIDNEXT", "uidnext"}, {"UIDVALIDITY", "uidvalidity"},
	{"UNSEEN", "unseen"}, {"HIGHESTMODSEQ", "highestmodseq"}, {"SIZE", "vsize"}, {"X-SIZE", "vsize"}, {"X-GUID", "guid"},
}

// statusOf writes STATUS items. Asking for modification sequences switches CONDSTORE on, and
// with it every mailbox that is looked at has them.
func (x *session) statusOf(b *mailbox, items []string) (string, error) {
	if slices.ContainsFunc(items, func(i string) bool { return strings.EqualFold(i, "HIGHESTMODSEQ") }) {
		x.enabled["CONDSTORE"] = struct{}{}
	}
	b.tracked = b.tracked || x.has("CONDSTORE")
	if len(items) == 0 {
		return "", errors.New("empty status list")
	}
	want := map[string]bool{}
	for _, it := range items {
		want[strings.ToUpper(it)] = true
	}
	var out []string
	for _, s := range statusItems {
		if want[s.item] {
			out = append(out, s.item+" "+b.status(s.field))
			delete(want, s.item)
		}
	}
	for _, it := range sortedKeys(want) {
		return "", fmt.Errorf("invalid status item %s", it)
	}
	return strings.Join(out, " "), nil
}
