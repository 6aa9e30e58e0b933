package dovecottest

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// store is the mail below one home directory. Like Dovecot's, it comes into
// being on first use, whoever the home belongs to.
type store struct {
	mu      sync.Mutex
	cfg     *config
	boxes   map[string]*mailbox // that exist on disk, by name
	subs    map[string]bool     // explicit subscriptions
	scripts map[string]string   // Sieve, by name
	active  string              // the active one, "" if none is
	// lastValidity makes UIDVALIDITY values grow.
	lastValidity uint32
}

// mailbox is one mailbox on disk. The store's lock guards it.
type mailbox struct {
	name     string
	guid     string
	validity uint32
	uidNext  uint32
	modSeq   uint64 // the highest
	tracked  bool   // modification sequences have been asked for
	msgs     []*message
	bytes    int64      // sum of sizes
	expunged []expunged // for VANISHED
	acl      map[string][]string
	deleted  bool
	// watchers are IMAP sessions that have it selected.
	watchers map[*session]bool
}

type expunged struct {
	uid    uint32
	modSeq uint64
}

// message is one stored message; body has CRLF line ends and never changes.
type message struct {
	uid    uint32
	guid   string
	flags  []string // canonical, sorted, without \Recent
	recent bool
	date   time.Time // INTERNALDATE
	saved  time.Time
	modSeq uint64
	body   []byte
}

func (m *message) hasFlag(f string) bool {
	return slices.ContainsFunc(m.flags, func(g string) bool { return strings.EqualFold(f, g) })
}

func newStore(cfg *config) *store {
	return &store{cfg: cfg, boxes: map[string]*mailbox{}, subs: map[string]bool{}, scripts: map[string]string{}}
}

func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// canonical folds the first level "inbox" and cuts a trailing separator.
func (s *store) canonical(name string) string {
	sep := s.cfg.separator
	name = strings.TrimSuffix(name, sep)
	first, rest, sub := strings.Cut(name, sep)
	if strings.EqualFold(first, "INBOX") {
		if !sub {
			return "INBOX"
		}
		return "INBOX" + sep + rest
	}
	return name
}

// checkName returns why Maildir++ cannot hold a mailbox of this name, in
// Dovecot's words, or "".
func (s *store) checkName(name string) string {
	sep := s.cfg.separator
	name = strings.TrimSuffix(name, sep)
	switch {
	case name == "":
		return "Mailbox name is empty"
	case sep != "." && strings.Contains(name, "."):
		return "Character not allowed in mailbox name: '.'"
	case strings.HasPrefix(name, sep):
		return "Begins with hierarchy separator"
	case strings.Contains(name, sep+sep):
		return "Has adjacent hierarchy separators"
	case strings.HasPrefix(name, "~"):
		return "Begins with '~'"
	case sep != "/" && strings.Contains(name, "/"):
		return "Character not allowed in mailbox name: '/'"
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f {
			return "Control characters not allowed in mailbox name"
		}
	}
	for level := range strings.SplitSeq(name, sep) {
		if len(imapwire.EncodeName(level)) > 255 {
			return "Mailbox name too long"
		}
	}
	if len(imapwire.EncodeName(name)) >= 255 { // one directory of the file system
		return "Mailbox name too long"
	}
	return ""
}

// auto returns the configuration of a mailbox that creates itself.
func (s *store) auto(name string) (Mailbox, bool) {
	for _, m := range s.cfg.mailboxes {
		if m.Name == name && (m.Auto == "create" || m.Auto == "subscribe") {
			return m, true
		}
	}
	return Mailbox{}, false
}

func (s *store) specialUse(name string) string {
	for _, m := range s.cfg.mailboxes {
		if m.Name == name {
			return m.SpecialUse
		}
	}
	return ""
}

// open returns the mailbox of that name, making the ones that make themselves;
// nil when there is none.
func (s *store) open(name string) *mailbox {
	name = s.canonical(name)
	if b := s.boxes[name]; b != nil {
		return b
	}
	if _, ok := s.auto(name); ok || name == "INBOX" {
		return s.create(name)
	}
	return nil
}

// create makes a mailbox that must not exist. The first one of a user brings
// INBOX along, which in a Maildir is the directory of the others.
func (s *store) create(name string) *mailbox {
	if name != "INBOX" && s.boxes["INBOX"] == nil {
		s.create("INBOX")
	}
	v := uint32(s.cfg.now().Unix())
	if v <= s.lastValidity {
		v = s.lastValidity + 1
	}
	s.lastValidity = v
	b := &mailbox{name: name, guid: newGUID(), validity: v, uidNext: 1, modSeq: 1, watchers: map[*session]bool{}}
	s.boxes[name] = b
	return b
}

// drop removes a mailbox with its messages.
func (s *store) drop(b *mailbox) {
	b.deleted = true
	b.msgs, b.bytes = nil, 0
	delete(s.boxes, b.name)
}

// children returns the mailboxes below a name, parents first.
func (s *store) children(name string) []*mailbox {
	var list []*mailbox
	for n, b := range s.boxes {
		if strings.HasPrefix(n, name+s.cfg.separator) {
			list = append(list, b)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list
}

// names lists what a client sees: existing mailboxes, their parents, INBOX and
// those that make themselves, sorted.
func (s *store) names() []string {
	set := map[string]bool{"INBOX": true}
	add := func(name string) {
		set[name] = true
		for {
			i := strings.LastIndex(name, s.cfg.separator)
			if i < 0 {
				return
			}
			name = name[:i]
			set[name] = true
		}
	}
	for n := range s.boxes {
		add(n)
	}
	for _, m := range s.cfg.mailboxes {
		if m.Auto == "create" || m.Auto == "subscribe" {
			add(m.Name)
		}
	}
	return sortedKeys(set)
}

// subscribed lists subscriptions; auto=subscribe ones are always among them.
func (s *store) subscribed() []string {
	set := map[string]bool{}
	for n := range s.subs {
		set[n] = true
	}
	for _, m := range s.cfg.mailboxes {
		if m.Auto == "subscribe" {
			set[m.Name] = true
		}
	}
	return sortedKeys(set)
}

// rename moves a mailbox and what is below it.
func (s *store) rename(from, to string) {
	move := func(old, name string) {
		b := s.boxes[old]
		delete(s.boxes, old)
		b.name = name
		s.boxes[name] = b
	}
	kids := s.children(from)
	if s.boxes[from] != nil {
		move(from, to)
	}
	for _, b := range kids {
		move(b.name, to+strings.TrimPrefix(b.name, from))
	}
}

// usage returns the sum of message sizes and their number.
func (s *store) usage() (bytes, messages int64) {
	for _, b := range s.boxes {
		bytes += b.bytes
		messages += int64(len(b.msgs))
	}
	return bytes, messages
}

// add stores a message, which gets the next UID.
func (s *store) add(b *mailbox, m *message) {
	m.uid = b.uidNext
	b.uidNext++
	b.modSeq++
	m.modSeq = b.modSeq
	m.recent = true
	m.saved = s.cfg.now()
	if m.guid == "" {
		m.guid = newGUID()
	}
	b.msgs = append(b.msgs, m)
	b.bytes += int64(len(m.body))
	for w := range b.watchers {
		w.noteNew(m)
	}
}

// remove expunges messages in one go.
func (s *store) remove(b *mailbox, msgs ...*message) {
	next := b.modSeq + 1
	for _, m := range msgs {
		i := slices.Index(b.msgs, m)
		if i < 0 {
			continue
		}
		b.msgs = slices.Delete(b.msgs, i, i+1)
		b.bytes -= int64(len(m.body))
		b.modSeq = next
		b.expunged = append(b.expunged, expunged{m.uid, next})
		for w := range b.watchers {
			w.noteExpunged(m)
		}
	}
}

// setFlags replaces the flags of a message; by is the session that does it and
// is told in its own way.
func (s *store) setFlags(b *mailbox, m *message, flags []string, by *session) bool {
	flags = cleanFlags(flags)
	if slices.Equal(flags, m.flags) {
		return false
	}
	m.flags = flags
	b.modSeq++
	m.modSeq = b.modSeq
	for w := range b.watchers {
		if w != by {
			w.noteFlags(m)
		}
	}
	return true
}

// systemFlags in the spelling that is stored.
var systemFlags = []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`}

// cleanFlags removes doubles and \Recent, and gives system flags their spelling
// and their place at the front.
func cleanFlags(flags []string) []string {
	var system, keywords []string
	for _, f := range flags {
		if strings.HasPrefix(f, `\`) {
			i := slices.IndexFunc(systemFlags, func(s string) bool { return strings.EqualFold(s, f) })
			if i >= 0 && !slices.Contains(system, systemFlags[i]) {
				system = append(system, systemFlags[i])
			}
			continue
		}
		if !slices.ContainsFunc(keywords, func(k string) bool { return strings.EqualFold(k, f) }) {
			keywords = append(keywords, f)
		}
	}
	slices.SortFunc(system, func(a, b string) int { return slices.Index(systemFlags, a) - slices.Index(systemFlags, b) })
	slices.Sort(keywords)
	return append(system, keywords...)
}

// normalise gives a message the line ends that it is kept with.
func normalise(body []byte) []byte {
	if !bytes.Contains(bytes.ReplaceAll(body, []byte("\r\n"), nil), []byte("\n")) {
		return bytes.Clone(body)
	}
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n"))
}

// matchMask matches an IMAP LIST mask: * everything, % all but the separator.
func matchMask(mask, name, sep string) bool {
	if mask == "" {
		return name == ""
	}
	switch mask[0] {
	case '*', '%':
		for i := 0; i <= len(name); i++ {
			if matchMask(mask[1:], name[i:], sep) {
				return true
			}
			if mask[0] == '%' && i < len(name) && strings.HasPrefix(name[i:], sep) {
				return false
			}
		}
		return false
	}
	return name != "" && name[0] == mask[0] && matchMask(mask[1:], name[1:], sep)
}

// foldInbox lets the first level of a mask meet INBOX in any case.
func foldInbox(mask, sep string) string {
	first, rest, sub := strings.Cut(mask, sep)
	if !strings.EqualFold(first, "INBOX") {
		return mask
	}
	if sub {
		return "INBOX" + sep + rest
	}
	return "INBOX"
}

// matchUser matches a user mask: * and ?, without regard to case.
func matchUser(mask, name string) bool {
	mask, name = strings.ToLower(mask), strings.ToLower(name)
	var match func(m, n string) bool
	match = func(m, n string) bool {
		for len(m) > 0 {
			switch {
			case m[0] == '*':
				for i := 0; i <= len(n); i++ {
					if match(m[1:], n[i:]) {
						return true
					}
				}
				return false
			case n == "" || m[0] != '?' && m[0] != n[0]:
				return false
			}
			m, n = m[1:], n[1:]
		}
		return n == ""
	}
	return match(mask, name)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// cleanHome makes paths comparable.
func cleanHome(p string) string { return path.Clean("/" + p) }
