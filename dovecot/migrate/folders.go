package migrate

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Folder is a mailbox as a server lists it.
type Folder struct {
	Raw        string   // the name on the wire
	Path       []string // readable levels below the personal namespace; INBOX is {"INBOX"}
	Role       Role     // by SPECIAL-USE attribute
	Virtual    string   // the attribute that makes it a view of other folders: \All, \Flagged, \Important
	Selectable bool     // can hold messages
	Subscribed bool
}

// Name is the path joined by "/", for people.
func (f Folder) Name() string { return strings.Join(f.Path, "/") }

// View is one side's personal folders.
type View struct {
	Prefix    string // of the personal namespace, raw: "INBOX." or ""
	Separator string // "" if there is no hierarchy
	Folders   []Folder
	// Outside are folders beyond the personal namespace (other users',
	// shared), which are not migrated.
	Outside []string
}

// FolderRules are the site's wishes about folders. The zero value follows
// SPECIAL-USE and the name table.
type FolderRules struct {
	// Map sends a source folder (readable path, levels joined by "/") with
	// everything below it to a target folder. It goes before all else.
	Map map[string]string
	// Roles names the one target folder of each role, for example
	// Sent: "Gesendete Objekte". The default is the target's folder with the
	// attribute, else one with a known name, else the English name.
	Roles map[Role]string
	// NoNameTable leaves folders alone that only their name makes special.
	NoNameTable bool
	// Skip lists source folders that stay behind with everything below them:
	// readable paths, in which "*" stands for any characters and "?" for one.
	Skip []string
	// Only, if not empty, lists in the same way the folders that are taken, with
	// everything below them. INBOX must be among them to be taken.
	Only []string
	// Virtual takes folders that show other folders' messages once more (\All, \Flagged,
	// \Important), as Gmail has them. The default leaves them behind.
	Virtual bool
	// ArchiveRest brings those messages of the folder marked \All that are in no
	// other folder into Archive: at Gmail, what has been archived. See [Preset].
	ArchiveRest bool
	// Forbidden are characters the target refuses inside a level. The default
	// is ".", which Dovecot's Maildir++ uses itself; the target's separator is always among them. They become "_".
	Forbidden string
}

// Mapping sends one source folder to one target folder.
type Mapping struct {
	Source     string `json:"source"` // readable
	Target     string `json:"target"` // readable
	SourceRaw  string `json:"sourceRaw"`
	TargetRaw  string `json:"targetRaw"`
	Role       Role   `json:"role,omitempty"`
	Why        string `json:"why"`              // "same name", "special use", "name", "configured", "recorded"
	Create     bool   `json:"create,omitempty"` // the target folder does not exist yet
	Subscribed bool   `json:"subscribed,omitempty"`
	// Search limits the messages that are taken to those that this IMAP
	// criterion finds; "" takes all.
	Search string `json:"search,omitempty"`
	// Messages and Bytes at the source, and Remaining of them still to copy, by
	// the counts. Only [Migrator.Plan] fills them; Bytes is -1 if the source does not tell.
	Messages  int   `json:"messages,omitempty"`
	Bytes     int64 `json:"bytes,omitempty"`
	Remaining int   `json:"left,omitempty"`
}

// FolderPlan says what becomes of every source folder, before anything is
// copied. It is a function of both listings and the rules alone.
type FolderPlan struct {
	Mappings []Mapping `json:"mappings"`           // parents first
	Skipped  []string  `json:"skipped,omitempty"`  // readable names with the reason
	Findings []string  `json:"findings,omitempty"` // merges, renames, collisions
}

// newView sorts a listing into the personal namespace.
func newView(ns imapwire.Namespaces, boxes []imapwire.Mailbox) View {
	var v View
	if len(ns.Personal) > 0 {
		v.Prefix, v.Separator = ns.Personal[0].Prefix, ns.Personal[0].Separator
	}
	if v.Separator == "" && len(boxes) > 0 {
		v.Separator = boxes[0].Separator
	}
	if ns.Guessed {
		v.Prefix = commonPrefix(boxes, v.Separator)
	}
	for _, b := range boxes {
		f := Folder{Raw: b.Name, Role: roleOfAttributes(b.Attributes), Virtual: virtualAttribute(b.Attributes),
			Selectable: b.Selectable(), Subscribed: b.Subscribed}
		switch {
		case imapwire.InboxName(b.Name):
			f.Raw, f.Path = "INBOX", []string{"INBOX"}
		case v.outside(b.Name, ns):
			v.Outside = append(v.Outside, b.Name)
			continue
		default:
			f.Path = v.path(b.Name)
		}
		v.Folders = append(v.Folders, f)
	}
	return v
}

// commonPrefix recognises the namespace of a server that does not tell it: every folder but INBOX
// lies below INBOX.
func commonPrefix(boxes []imapwire.Mailbox, separator string) string {
	prefix := ""
	for _, b := range boxes {
		if imapwire.InboxName(b.Name) {
			continue
		}
		head := b.Name[:min(len(b.Name), len("INBOX")+len(separator))]
		if separator == "" || !strings.EqualFold(head, "INBOX"+separator) || prefix != "" && prefix != head {
			return ""
		}
		prefix = head
	}
	return prefix
}

func (v View) outside(raw string, ns imapwire.Namespaces) bool {
	if v.Prefix != "" {
		return !strings.HasPrefix(raw, v.Prefix)
	}
	for _, n := range slices.Concat(ns.Other, ns.Shared) {
		if n.Prefix != "" && strings.HasPrefix(raw+n.Separator, n.Prefix) {
			return true
		}
	}
	return false
}

// path makes readable levels. A first level that reads INBOX after the prefix
// is gone ("INBOX.INBOX") is a folder below INBOX, not INBOX.
func (v View) path(raw string) []string {
	rest := strings.TrimPrefix(raw, v.Prefix)
	levels := []string{rest}
	if v.Separator != "" {
		levels = strings.Split(rest, v.Separator)
	}
	path := make([]string, 0, len(levels)+1)
	if v.Prefix != "" && strings.EqualFold(levels[0], "INBOX") {
		path = append(path, "INBOX")
	}
	for _, l := range levels {
		name, _ := imapwire.DecodeName(l)
		path = append(path, name)
	}
	if strings.EqualFold(path[0], "INBOX") {
		path[0] = "INBOX"
	}
	return path
}

func (v View) pathOf(raw string) []string {
	if raw == "INBOX" {
		return []string{"INBOX"}
	}
	return v.path(raw)
}

func (v View) name(raw string) string { return strings.Join(v.pathOf(raw), "/") }

// raw makes the wire name of a readable path.
func (v View) raw(path []string) string {
	if len(path) == 1 && path[0] == "INBOX" {
		return "INBOX"
	}
	levels := make([]string, len(path))
	for i, l := range path {
		levels[i] = imapwire.EncodeName(l)
	}
	name := strings.Join(levels, v.Separator)
	if v.Prefix != "" && path[0] == "INBOX" && strings.EqualFold(strings.TrimSuffix(v.Prefix, v.Separator), "INBOX") {
		return name // "INBOX.x" with prefix "INBOX." is what a child of INBOX is called
	}
	return v.Prefix + name
}

// PlanFolders decides where each source folder goes. recorded holds decisions of
// earlier runs (source raw name to target raw name), which stay: mail that has
// been copied is not copied again into another folder because a rule changed.
func PlanFolders(src, dst View, rules FolderRules, recorded map[string]string) *FolderPlan {
	p := &folderPlanner{dst: dst, rules: rules, plan: &FolderPlan{}, taken: map[string]*Mapping{},
		existing: map[string]Folder{}, asked: map[string]bool{}}
	for _, f := range dst.Folders {
		p.existing[f.Raw] = f
	}
	for _, o := range src.Outside {
		name, _ := imapwire.DecodeName(o)
		p.plan.Skipped = append(p.plan.Skipped, name+": outside of the user's own folders")
	}
	p.chooseRoles()
	folders := slices.Clone(src.Folders)
	p.source = src.Folders
	slices.SortStableFunc(folders, func(a, b Folder) int {
		return cmp.Or(cmp.Compare(inboxFirst(a), inboxFirst(b)), cmp.Compare(len(a.Path), len(b.Path)),
			cmp.Compare(a.Raw, b.Raw))
	})
	for _, f := range folders { // recorded decisions take their places first
		if to, ok := recorded[f.Raw]; ok && f.Selectable {
			p.add(f, p.dst.pathOf(to), to, Ordinary, "recorded", true)
		}
	}
	for _, f := range folders {
		if _, ok := recorded[f.Raw]; !ok {
			p.place(f)
		}
	}
	slices.SortStableFunc(p.plan.Mappings, func(a, b Mapping) int {
		return cmp.Or(cmp.Compare(depth(a), depth(b)), cmp.Compare(a.SourceRaw, b.SourceRaw))
	})
	return p.plan
}

func inboxFirst(f Folder) int {
	if f.Raw == "INBOX" {
		return 0
	}
	return 1
}

func depth(m Mapping) int {
	if m.SourceRaw == "INBOX" {
		return -1
	}
	return strings.Count(m.Target, "/")
}

// restOfGmail finds what is in no folder but that of all messages (Gmail's IMAP extensions, X-GM-RAW).
const restOfGmail = `X-GM-RAW "has:nouserlabels -in:inbox -in:sent -in:drafts -in:chats -in:spam -in:trash"`

type folderPlanner struct {
	dst      View
	rules    FolderRules
	plan     *FolderPlan
	roles    map[Role][]string // target path of each role
	taken    map[string]*Mapping
	existing map[string]Folder
	source   []Folder
	asked    map[string]bool // first levels that the plan has asked about
}

// chooseRoles finds the one target folder of each role.
func (p *folderPlanner) chooseRoles() {
	p.roles = map[Role][]string{}
	for _, role := range Roles() {
		if name := p.rules.Roles[role]; name != "" {
			p.roles[role] = strings.Split(name, "/")
			continue
		}
		var byUse, byName []Folder
		for _, f := range p.dst.Folders {
			if f.Role == role {
				byUse = append(byUse, f)
			} else if len(f.Path) == 1 && f.Role == Ordinary && RoleOfName(f.Path[0]) == role {
				byName = append(byName, f)
			}
		}
		pick := func(fs []Folder) {
			slices.SortFunc(fs, func(a, b Folder) int {
				ea, eb := strings.EqualFold(a.Name(), string(role)), strings.EqualFold(b.Name(), string(role))
				if ea != eb {
					if ea {
						return -1
					}
					return 1
				}
				return cmp.Compare(a.Raw, b.Raw)
			})
			p.roles[role] = fs[0].Path
			if len(fs) > 1 {
				p.find("the target has %d folders for %s; %q is used", len(fs), role, fs[0].Name())
			}
		}
		switch {
		case len(byUse) > 0:
			pick(byUse)
			for _, f := range byName {
				p.find("the target has %q beside %q, which is its folder for %s: what is in it stays there", f.Name(),
					strings.Join(p.roles[role], "/"), role)
			}
		case len(byName) > 0 && !p.rules.NoNameTable:
			pick(byName)
		case role != Archive:
			// Without an archive at the target everybody's stays what it is called.
			p.roles[role] = []string{string(role)}
		}
	}
}

func (p *folderPlanner) find(format string, args ...any) {
	p.plan.Findings = append(p.plan.Findings, fmt.Sprintf(format, args...))
}

// place decides about one folder without a record.
func (p *folderPlanner) place(f Folder) {
	if !f.Selectable {
		return // only there to have children
	}
	if why := p.staysBehind(f); why != "" {
		p.plan.Skipped = append(p.plan.Skipped, f.Name()+": "+why)
		return
	}
	// The longest configured prefix wins.
	best := ""
	for from := range p.rules.Map {
		if below(f.Name(), from) && len(from) >= len(best) {
			best = from
		}
	}
	if best != "" {
		to := strings.Split(p.rules.Map[best], "/")
		p.put(f, append(to, f.Path[strings.Count(best, "/")+1:]...), Ordinary, "configured")
		return
	}
	if f.Raw == "INBOX" {
		p.add(f, f.Path, "INBOX", Ordinary, "same name", true)
		return
	}
	if p.archiveRest(f) {
		path := p.roles[Archive]
		if path == nil {
			path = []string{string(Archive)}
		}
		p.put(f, path, Archive, "what is in no other folder")
		return
	}
	if role := f.Role; role != Ordinary && p.roles[role] != nil {
		p.put(f, p.roles[role], role, "special use")
		return
	}
	if role, why := p.roleByName(f); role != Ordinary && p.roles[role] != nil {
		p.put(f, append(slices.Clone(p.roles[role]), f.Path[1:]...), role, why)
		return
	}
	p.put(f, f.Path, Ordinary, "same name")
}

// staysBehind says why a folder is not taken, "" if it is.
func (p *folderPlanner) staysBehind(f Folder) string {
	under := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(s string) bool { return matches(f.Name(), s) })
	}
	switch {
	case under(p.rules.Skip):
		return "configured to stay behind"
	case len(p.rules.Only) > 0 && !under(p.rules.Only):
		return "not among the folders that are taken"
	case f.Virtual != "" && !p.rules.Virtual && !p.archiveRest(f):
		return "shows messages of other folders once more (" + f.Virtual + "); what is in none of them stays behind"
	}
	return ""
}

// archiveRest reports the folder of all messages, of which those are taken that are nowhere else.
func (p *folderPlanner) archiveRest(f Folder) bool {
	return p.rules.ArchiveRest && strings.HasPrefix(strings.ToLower(f.Virtual), `\all`)
}

// roleByName is the role of a folder, or of the folder of the first level that it lies below, by name
// alone. Where mail expires, a folder with folders of its own is somebody's filing.
func (p *folderPlanner) roleByName(f Folder) (Role, string) {
	if p.rules.NoNameTable {
		return Ordinary, ""
	}
	top := f.Path[0]
	role, why := RoleOfName(top), "name"
	if len(f.Path) > 1 {
		why = "parent's name"
	}
	parent, children := Ordinary, false
	for _, o := range p.source {
		if len(o.Path) == 1 && o.Path[0] == top && o.Role != Ordinary {
			parent = o.Role
		}
		children = children || len(o.Path) > 1 && o.Path[0] == top && o.Selectable
	}
	if parent != Ordinary {
		return parent, why
	}
	if may := doubtfulByName[fold(top)]; may != Ordinary {
		p.ask(top, "%q may be a folder for %s; it stays what it is called unless the folder map says otherwise", top, may)
		return Ordinary, ""
	}
	if role.expires() && children {
		p.ask(top, "%q is called like a folder for %s and has folders of its own: they stay what they are called unless "+
			"the folder map says otherwise", top, role)
		return Ordinary, ""
	}
	return role, why
}

// ask finds once for each folder of the first level.
func (p *folderPlanner) ask(top, format string, args ...any) {
	if !p.asked[top] {
		p.asked[top] = true
		p.find(format, args...)
	}
}

// matches reports whether name, or a folder that it lies below, is what the pattern says.
func matches(name, pattern string) bool {
	re, err := regexp.Compile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`,
		`.`).Replace(regexp.QuoteMeta(pattern)) + `(/.*)?$`)
	return err == nil && re.MatchString(name)
}

// below reports whether name is the folder or lies below it.
func below(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

// put cleans a path for the target and solves collisions.
func (p *folderPlanner) put(f Folder, path []string, role Role, why string) {
	clean := p.clean(path)
	merge := role != Ordinary || why == "configured"
	raw := p.dst.raw(clean)
	for n := 2; ; n++ {
		if m := p.taken[raw]; m == nil || merge {
			break
		}
		last := len(clean) - 1
		next := slices.Clone(clean)
		next[last] = fmt.Sprintf("%s (%d)", clean[last], n)
		if r := p.dst.raw(next); p.taken[r] == nil {
			p.find("%q and %q would both be %q at the target: the latter becomes %q", p.taken[raw].Source, f.Name(),
				p.taken[raw].Target, strings.Join(next, "/"))
			clean, raw = next, r
			break
		}
	}
	if got := strings.Join(clean, "/"); got != strings.Join(path, "/") && !strings.Contains(got, " (") {
		p.find("%q is named %q at the target, which does not take the name", f.Name(), got)
	}
	p.add(f, clean, raw, role, why, merge)
}

func (p *folderPlanner) add(f Folder, path []string, raw string, role Role, why string, merge bool) {
	_, exists := p.existing[raw]
	m := Mapping{Source: f.Name(), SourceRaw: f.Raw, Target: strings.Join(path, "/"), TargetRaw: raw,
		Role: role, Why: why, Create: !exists && raw != "INBOX", Subscribed: f.Subscribed}
	if p.archiveRest(f) {
		m.Search = restOfGmail
	}
	if first := p.taken[raw]; first != nil && merge && why != "recorded" {
		p.find("%q and %q are merged into %q", first.Source, m.Source, m.Target)
	} else if first == nil {
		p.taken[raw] = &m
	}
	p.plan.Mappings = append(p.plan.Mappings, m)
}

// inboxPrefix reports a target whose folders all lie below INBOX.
func (p *folderPlanner) inboxPrefix() bool {
	return p.dst.Prefix != "" && strings.EqualFold(strings.TrimSuffix(p.dst.Prefix, p.dst.Separator), "INBOX")
}

// maxLevel keeps one level below what file systems and Dovecot take; 180
// characters pass, 300 do not.
const maxLevel = 180

// clean replaces what the target refuses: its separator, forbidden characters,
// controls, a leading "~", empty and overlong levels.
func (p *folderPlanner) clean(path []string) []string {
	forbidden := p.rules.Forbidden
	if forbidden == "" {
		forbidden = "."
	}
	forbidden += p.dst.Separator
	out := make([]string, len(path))
	for i, level := range path {
		level = strings.Map(func(r rune) rune {
			if r < 0x20 || r == 0x7f || strings.ContainsRune(forbidden, r) {
				return '_'
			}
			return r
		}, level)
		if i == 1 && p.inboxPrefix() && path[0] == "INBOX" && strings.EqualFold(level, "INBOX") {
			level += "_" // below this prefix it would be INBOX itself
		}
		if i == 0 && strings.HasPrefix(level, "~") {
			level = "_" + level[1:]
		}
		if level == "" {
			level = "_"
		}
		if enc := imapwire.EncodeName(level); len(enc) > maxLevel {
			sum := sha1.Sum([]byte(level))
			short := []rune(level)
			short = short[:min(len(short), maxLevel)]
			for len(imapwire.EncodeName(string(short))) > maxLevel-10 {
				short = short[:len(short)-1]
			}
			level = string(short) + "-" + hex.EncodeToString(sum[:4])
		}
		out[i] = level
	}
	return out
}
