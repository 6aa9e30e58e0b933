package spool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Plan says what becomes of every folder of an account.
type Plan struct {
	Account    string          `json:"account"`
	Folders    []PlannedFolder `json:"folders"`
	LeftBehind []LeftBehind    `json:"left,omitempty"`
	Findings   []string        `json:"findings,omitempty"`
}

// PlannedFolder is one source folder with its place at the target.
type PlannedFolder struct {
	Source      string `json:"source"` // readable
	Target      string `json:"target"` // readable
	Dir         string `json:"dir"`
	Why         string `json:"why"`      // as in [migrate.Mapping]
	Messages    int    `json:"messages"` // in the index, some of which may be expunged
	UIDValidity uint32 `json:"uidValidity"`

	box    mailbox
	raw    string // at the target
	header mailboxHeader
	err    error // why it cannot be read
}

// display is the readable path of a source folder.
func (c *Converter) display(folder string) []string {
	if folder == "" {
		return []string{"INBOX"}
	}
	var path []string
	for level := range strings.SplitSeq(folder, ".") {
		if !c.store.OldNames {
			level = strings.ReplaceAll(level, "^", ".")
		}
		name, _ := imapwire.DecodeName(level)
		path = append(path, name)
	}
	if strings.EqualFold(path[0], "INBOX") { // a folder of that name, which is not INBOX
		path = append([]string{"INBOX"}, path...)
	}
	return path
}

// rawFolder is the name by which folder rules and the state know a folder.
func rawFolder(folder string) string {
	if folder == "" {
		return "INBOX"
	}
	return "." + folder
}

// plan decides where each mailbox goes. subs may be nil.
func (c *Converter) plan(ctx context.Context, acct Account, boxes []mailbox, st *state, subs map[string]bool) (*Plan,
	error) {
	p := &Plan{Account: acct.Name}
	readable := map[string]*PlannedFolder{}
	src := migrate.View{Separator: "/"}
	special := c.specialUse(acct, boxes)
	for _, b := range boxes {
		f := &PlannedFolder{box: b, Source: strings.Join(c.display(b.folder), "/")}
		f.header, f.err = b.header()
		if f.err == nil && !f.header.mail() {
			p.LeftBehind = append(p.LeftBehind, LeftBehind{Source: f.Source, Why: LeftNoMail,
				Text: "mailbox type " + f.header.kind})
			continue
		}
		f.peek()
		raw := rawFolder(b.folder)
		if readable[raw] != nil {
			return nil, fmt.Errorf("%w: mailbox %q is in the spool twice: %s and %s", ErrDamaged, f.Source,
				readable[raw].box.rel, b.rel)
		}
		readable[raw] = f
		src.Folders = append(src.Folders, migrate.Folder{Raw: raw, Path: c.display(b.folder), Selectable: true,
			Subscribed: subs[b.folder]})
	}
	mappings, err := c.mappings(ctx, acct, p, src, st)
	if err != nil {
		return nil, err
	}
	groups := map[string][]*PlannedFolder{}
	var order []string
	for _, m := range mappings {
		f := readable[m.SourceRaw]
		delete(readable, m.SourceRaw)
		if f == nil {
			continue // IMAP shows it, and the spool does not have it: nothing to convert
		}
		f.Target, f.raw, f.Why = m.Target, m.TargetRaw, m.Why
		if role, ok := special[f.header.uniqueID]; ok && c.opt.FolderPlan == nil && f.box.folder != "" &&
			migrate.RoleOfName(c.display(f.box.folder)[0]) != role {
			p.LeftBehind = append(p.LeftBehind, LeftBehind{f.Source, f.Messages, LeftSpecial,
				fmt.Sprintf("it is, or was once, marked as the folder for %s, which decides over IMAP where it goes", role)})
			continue
		}
		dir, err := c.dir(acct.Maildir, m.TargetRaw)
		if err != nil {
			p.LeftBehind = append(p.LeftBehind, LeftBehind{f.Source, f.Messages, LeftName, err.Error()})
			continue
		}
		f.Dir = dir
		if groups[dir] == nil {
			order = append(order, dir)
		}
		groups[dir] = append(groups[dir], f)
	}
	for _, f := range readable {
		if slices.ContainsFunc(p.LeftBehind, func(l LeftBehind) bool { return l.Source == f.Source }) {
			continue
		}
		why, text := LeftSkipped, ""
		if c.opt.FolderPlan != nil {
			why, text = LeftUnknown, "the plan made over IMAP does not have it, or leaves it behind"
		}
		p.LeftBehind = append(p.LeftBehind, LeftBehind{f.Source, f.Messages, why, text})
	}
	for _, dir := range order {
		group := groups[dir]
		first := slices.MinFunc(group, func(a, b *PlannedFolder) int {
			return cmp.Or(-cmp.Compare(rank(a, st), rank(b, st)), -cmp.Compare(a.Messages, b.Messages),
				cmp.Compare(a.Source, b.Source))
		})
		p.Folders = append(p.Folders, *first)
		for _, f := range group {
			if f != first {
				p.LeftBehind = append(p.LeftBehind, LeftBehind{f.Source, f.Messages, LeftMerged,
					fmt.Sprintf("%q goes to %q as well and keeps its UIDs", first.Source, first.Target)})
			}
		}
	}
	slices.SortFunc(p.LeftBehind, func(a, b LeftBehind) int { return cmp.Compare(a.Source, b.Source) })
	return p, nil
}

// rank prefers what was decided before, then INBOX.
func rank(f *PlannedFolder, st *state) int {
	switch {
	case st != nil && st.folders[f.box.folder] != nil:
		return 2
	case f.box.folder == "":
		return 1
	}
	return 0
}

// peek reads the head of the index, for the plan; what is wrong with it is
// found again, and reported, by the conversion.
func (f *PlannedFolder) peek() {
	file, err := os.Open(f.box.meta("cyrus.index"))
	if err != nil {
		return
	}
	defer file.Close()
	if x, err := newIndexReader(file); err == nil {
		f.Messages, f.UIDValidity = int(x.h.records), x.h.uidValidity
	}
}

// mappings asks the live plan, or makes one of the spool, the Maildir and the rules.
func (c *Converter) mappings(ctx context.Context, acct Account, p *Plan, src migrate.View,
	st *state) ([]migrate.Mapping, error) {
	if c.opt.FolderPlan == nil {
		return c.ownMappings(acct, p, src, st)
	}
	fp, err := c.opt.FolderPlan(ctx, acct.Name)
	if err != nil {
		return nil, err
	}
	// How the source's namespace makes wire names of internal ones.
	sep, prefix := "/", ""
	if c.store.OldNames {
		sep = "."
	}
	below := func(m migrate.Mapping) bool {
		return m.SourceRaw == "INBOX" || strings.HasPrefix(m.SourceRaw, "INBOX"+sep)
	}
	if len(fp.Mappings) > 1 && !slices.ContainsFunc(fp.Mappings, func(m migrate.Mapping) bool { return !below(m) }) {
		prefix = "INBOX" + sep
	}
	byWire := map[string]string{}
	for _, f := range src.Folders {
		folder := strings.TrimPrefix(f.Raw, ".")
		if f.Raw == "INBOX" {
			byWire["INBOX"] = f.Raw
			continue
		}
		if !c.store.OldNames {
			folder = strings.ReplaceAll(strings.ReplaceAll(folder, ".", "/"), "^", ".")
		}
		byWire[prefix+folder] = f.Raw
	}
	var out []migrate.Mapping
	for _, m := range fp.Mappings {
		if raw := byWire[m.SourceRaw]; raw != "" {
			m.SourceRaw = raw
			if m.TargetRaw != "INBOX" {
				m.TargetRaw = strings.TrimPrefix(m.TargetRaw, c.opt.Prefix)
			}
			out = append(out, m)
		}
	}
	p.Findings = append(p.Findings, fp.Findings...)
	return out, nil
}

// ownMappings plans by the spool, the Maildir and the rules.
func (c *Converter) ownMappings(acct Account, p *Plan, src migrate.View, st *state) ([]migrate.Mapping, error) {
	dst, err := c.targetView(acct.Maildir)
	if err != nil {
		return nil, err
	}
	recorded := map[string]string{}
	if st != nil {
		for name, f := range st.folders {
			recorded[rawFolder(name)] = f.Target
		}
	}
	rules := c.opt.Folders
	if rules.Forbidden == "" {
		rules.Forbidden = "."
	}
	rules.Forbidden += "/" // no file name can hold it
	fp := migrate.PlanFolders(src, dst, rules, recorded)
	for _, f := range fp.Findings {
		if !strings.Contains(f, "are merged into") { // said in LeftBehind
			p.Findings = append(p.Findings, f)
		}
	}
	return fp.Mappings, nil
}

// targetView lists the folders that the Maildir has.
func (c *Converter) targetView(maildir string) (migrate.View, error) {
	v := migrate.View{Separator: c.opt.Separator, Folders: []migrate.Folder{{Raw: "INBOX", Path: []string{"INBOX"},
		Selectable: true}}}
	add := func(levels []string) {
		path := make([]string, len(levels))
		for i, l := range levels {
			path[i], _ = imapwire.DecodeName(l)
		}
		v.Folders = append(v.Folders, migrate.Folder{Raw: strings.Join(levels, v.Separator), Path: path, Selectable: true})
	}
	if c.opt.Layout == LayoutFS {
		err := fsFolders(maildir, nil, add)
		return v, err
	}
	entries, err := os.ReadDir(maildir)
	if errors.Is(err, fs.ErrNotExist) {
		return v, nil
	}
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), "."); ok && e.IsDir() && exists(filepath.Join(maildir, e.Name(), "cur")) {
			add(strings.Split(name, "."))
		}
	}
	return v, err
}

func fsFolders(root string, levels []string, add func([]string)) error {
	entries, err := os.ReadDir(filepath.Join(append([]string{root}, levels...)...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(maildirSubs, e.Name()) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		sub := append(slices.Clone(levels), e.Name())
		if exists(filepath.Join(append(append([]string{root}, sub...), "cur")...)) {
			add(sub)
		}
		if err := fsFolders(root, sub, add); err != nil {
			return err
		}
	}
	return nil
}

// dir is where a target folder lies.
func (c *Converter) dir(maildir, raw string) (string, error) {
	if raw == "INBOX" {
		return maildir, nil
	}
	levels := strings.Split(raw, c.opt.Separator)
	for _, l := range levels {
		if l == "" || strings.ContainsAny(l, "/\x00") || l == "." || l == ".." {
			return "", fmt.Errorf("%q has a level that no directory can have", raw)
		}
		if c.opt.Layout == LayoutFS && (slices.Contains(maildirSubs, l) || l[0] == '.') {
			return "", fmt.Errorf("%q has a level that means something else in the layout fs", raw)
		}
		if c.opt.Layout != LayoutFS && strings.Contains(l, ".") {
			return "", fmt.Errorf("%q has a dot in a level, which Maildir++ takes for a level", raw)
		}
	}
	if c.opt.Layout == LayoutFS {
		return filepath.Join(append([]string{maildir}, levels...)...), nil
	}
	return filepath.Join(maildir, "."+strings.Join(levels, ".")), nil
}

// specialUse looks for marks of special folders in annotations.db, by unique
// id of the mailbox. The file's format is not followed: a mark that has been
// taken away may still be found, which leaves the folder to IMAP.
func (c *Converter) specialUse(acct Account, boxes []mailbox) map[string]migrate.Role {
	out := map[string]migrate.Role{}
	if c.store.Config == "" || c.opt.FolderPlan != nil {
		return out
	}
	marks := c.marks()
	for _, b := range boxes {
		if h, err := b.header(); err == nil {
			name := "user." + acct.source()
			if b.folder != "" {
				name += "." + b.folder
			}
			for _, key := range []string{h.uniqueID, name, h.name} {
				if role, ok := marks[key]; ok && key != "" {
					out[h.uniqueID] = role
				}
			}
		}
	}
	return out
}

// scanMarks finds "<mailbox> NUL /specialuse NUL <user> NUL <length> \Sent".
func scanMarks(b []byte) map[string]migrate.Role {
	out := map[string]migrate.Role{}
	const entry = "\x00/specialuse\x00"
	for {
		i := bytes.Index(b, []byte(entry))
		if i < 0 {
			return out
		}
		start := i
		for start > 0 && b[start-1] > ' ' && b[start-1] < 0x7f {
			start--
		}
		name := string(b[start:i])
		b = b[i+len(entry):]
		window := b[:min(len(b), 400)]
		j := bytes.IndexByte(window, '\\')
		if j < 0 {
			continue
		}
		word := window[j+1:]
		if k := bytes.IndexFunc(word, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }); k >= 0 {
			word = word[:k]
		}
		for _, role := range migrate.Roles() {
			if strings.EqualFold(string(word), string(role)) {
				// Bytes in front of a name may be of something else.
				for s := 0; s < len(name) && s < 8; s++ {
					out[name[s:]] = role
				}
			}
		}
	}
}
