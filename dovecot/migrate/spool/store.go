package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Partition is where one Cyrus partition lies. Of imapd.conf's options,
// Data is partition-NAME, Meta is metapartition-NAME where cyrus.header and
// cyrus.index are kept apart from the messages, and Archive is
// archivepartition-NAME; the last two are empty at most sites.
type Partition struct{ Data, Meta, Archive string }

// Source is a Cyrus spool on disk. Nothing in it is ever written.
type Source struct {
	// Partitions holds at least one.
	Partitions []Partition
	// Config is configdirectory, with subscriptions and, before Cyrus 2.4, the
	// database of what the users have read. Without it both are missing, which
	// the results say.
	Config string
	// OldNames says that unixhierarchysep is off, the default before Cyrus
	// 3.0: a "^" in a name is a "^" and not a dot.
	OldNames bool
}

// store finds mailboxes in a Source.
type store struct {
	Source
	byID func() (map[string][]mailbox, error) // the tree of Cyrus 3.6, once
}

func newStore(src Source) *store {
	s := &store{Source: src}
	s.byID = sync.OnceValues(s.scan)
	return s
}

// mailbox is where one mailbox lies.
type mailbox struct {
	part   *Partition
	rel    string // below the partition
	folder string // below the user: "" for INBOX, "A.B"
}

func (m *mailbox) meta(name string) string {
	if m.part.Meta != "" {
		// Which files are kept there is an option of its own.
		if file := filepath.Join(m.part.Meta, m.rel, name); exists(file) {
			return file
		}
	}
	return filepath.Join(m.part.Data, m.rel, name)
}

// message returns the path of a message's file.
func (m *mailbox) message(r *record) string {
	root := m.part.Data
	if r.flags&bitArchived != 0 && m.part.Archive != "" {
		root = m.part.Archive
	}
	return filepath.Join(root, m.rel, fmt.Sprintf("%d.", r.uid))
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// header reads the mailbox's cyrus.header.
func (m *mailbox) header() (mailboxHeader, error) {
	file := m.meta("cyrus.header")
	b, err := readLimited(file, maxHeaderFile)
	if err != nil {
		return mailboxHeader{}, err
	}
	h, err := parseMailboxHeader(b)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return h, err
}

func readLimited(file string, limit int64) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > limit {
		return nil, fmt.Errorf("%s: %w: not a file, or too large", file, ErrDamaged)
	}
	return os.ReadFile(file)
}

// owner splits an internal mailbox name, "user.anna.A.B" or
// "school.test!user.anna", into the login name and the folder. ok is false for
// shared and deleted mailboxes.
func owner(name string) (user, folder string, ok bool) {
	domain := ""
	if d, rest, has := strings.Cut(name, "!"); has {
		domain, name = d, rest
	}
	rest, ok := strings.CutPrefix(name, "user.")
	if !ok {
		return "", "", false
	}
	user, folder, _ = strings.Cut(rest, ".")
	if user == "" {
		return "", "", false
	}
	user = strings.ReplaceAll(user, "^", ".")
	if domain != "" {
		user += "@" + domain
	}
	return user, folder, true
}

// internalUser is the form of a login name in paths.
func internalUser(user string) (name, domain string) {
	name, domain, _ = strings.Cut(user, "@")
	return strings.ReplaceAll(name, ".", "^"), domain
}

// safeUser refuses names that would lead out of the spool.
func safeUser(user string) error {
	name, domain := internalUser(user)
	if name == "" || strings.ContainsAny(user, "/\\\x00*?[!") || strings.HasPrefix(domain, ".") {
		return fmt.Errorf("%q cannot be a user of Cyrus", user)
	}
	return nil
}

// scan reads the headers of the tree uuid/a/b/abcd..., where the path does
// not tell the mailbox's name.
func (s *store) scan() (map[string][]mailbox, error) {
	found := map[string][]mailbox{}
	for i := range s.Partitions {
		p := &s.Partitions[i]
		root := p.Data
		if p.Meta != "" && exists(filepath.Join(p.Meta, "uuid")) {
			root = p.Meta
		}
		dirs, err := subdirectories(filepath.Join(root, "uuid"), 3)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			m := mailbox{part: p, rel: filepath.Join("uuid", dir)}
			h, err := m.header()
			if err != nil {
				// A directory without a header is no mailbox; which user a
				// damaged one belongs to cannot be known here.
				if !errors.Is(err, fs.ErrNotExist) {
					found[""] = append(found[""], m)
				}
				continue
			}
			user, folder, ok := owner(h.name)
			if !ok {
				continue
			}
			m.folder = folder
			found[user] = append(found[user], m)
		}
	}
	return found, nil
}

// subdirectories lists relative paths depth levels below root; a missing root has none.
func subdirectories(root string, depth int) ([]string, error) {
	level := []string{""}
	for range depth {
		var next []string
		for _, dir := range level {
			entries, err := os.ReadDir(filepath.Join(root, dir))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if e.IsDir() {
					next = append(next, filepath.Join(dir, e.Name()))
				}
			}
		}
		level = next
	}
	return level, nil
}

// mailboxes returns a user's mailboxes, INBOX first, and nil when there are none.
func (s *store) mailboxes(ctx context.Context, user string) ([]mailbox, error) {
	if err := safeUser(user); err != nil {
		return nil, err
	}
	byID, err := s.byID()
	if err != nil {
		return nil, err
	}
	boxes := slices.Clone(byID[user])
	for i := range s.Partitions {
		p := &s.Partitions[i]
		roots := []string{p.Data}
		if p.Meta != "" {
			roots = append(roots, p.Meta)
		}
		seen := map[string]bool{}
		for _, root := range roots {
			for _, top := range s.userDirs(root, user) {
				if err := walk(ctx, root, top, "", func(rel, folder string) {
					if !seen[rel] {
						seen[rel] = true
						boxes = append(boxes, mailbox{part: p, rel: rel, folder: folder})
					}
				}); err != nil {
					return nil, err
				}
			}
		}
	}
	slices.SortStableFunc(boxes, func(a, b mailbox) int { return strings.Compare(a.folder, b.folder) })
	return boxes, nil
}

// userDirs finds where a user's tree begins, relative to the root: user/anna,
// or with hashimapspool a/user/anna, below domain/s/school.test if there is one.
// The letter of the hash depends on options; all are tried.
func (s *store) userDirs(root, user string) []string {
	name, domain := internalUser(user)
	tops := []string{""}
	if domain != "" {
		tops = matches(root, "domain", "?", domain)
		tops = append(tops, matches(root, "domain", domain)...)
	}
	var out []string
	for _, top := range tops {
		out = append(out, matches(root, top, "user", name)...)
		out = append(out, matches(root, top, "?", "user", name)...)
	}
	return out
}

// matches joins path elements below root, of which "?" is any of one
// character, and returns those that are directories.
func matches(root string, elem ...string) []string {
	paths := []string{""}
	for _, e := range elem {
		var next []string
		for _, p := range paths {
			if e != "?" {
				if st, err := os.Stat(filepath.Join(root, p, e)); err == nil && st.IsDir() {
					next = append(next, filepath.Join(p, e))
				}
				continue
			}
			for c := 'A'; c <= 'z'; c++ {
				if c > 'Z' && c < 'a' {
					continue
				}
				if st, err := os.Stat(filepath.Join(root, p, string(c))); err == nil && st.IsDir() {
					next = append(next, filepath.Join(p, string(c)))
				}
			}
		}
		paths = next
	}
	return paths
}

// walk calls found for every mailbox in a tree where directories are levels.
func walk(ctx context.Context, root, rel, folder string, found func(rel, folder string)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Join(root, rel)
	if exists(filepath.Join(dir, "cyrus.header")) || exists(filepath.Join(dir, "cyrus.index")) {
		found(rel, folder)
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	var subs []string
	for {
		entries, err := f.ReadDir(1000)
		for _, e := range entries {
			is := e.IsDir()
			if e.Type()&fs.ModeSymlink != 0 { // sites move large mailboxes so
				st, err := os.Stat(filepath.Join(dir, e.Name()))
				is = err == nil && st.IsDir()
			}
			if is {
				subs = append(subs, e.Name())
			}
		}
		if len(entries) == 0 || err != nil {
			break
		}
	}
	slices.Sort(subs)
	for _, sub := range subs {
		below := sub
		if folder != "" {
			below = folder + "." + sub
		}
		if err := walk(ctx, root, filepath.Join(rel, sub), below, found); err != nil {
			return err
		}
	}
	return nil
}

// accounts lists the users who have mailboxes, sorted.
func (s *store) accounts() ([]string, error) {
	byID, err := s.byID()
	if err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for u := range byID {
		set[u] = u != ""
	}
	for i := range s.Partitions {
		if err := listPartition(s.Partitions[i].Data, set); err != nil {
			return nil, err
		}
	}
	var out []string
	for u, ok := range set {
		if ok {
			out = append(out, u)
		}
	}
	slices.Sort(out)
	return out, nil
}

// listPartition puts the users of a partition into the set, with and without domains.
func listPartition(root string, set map[string]bool) error {
	if err := listUsers(root, "", "", set); err != nil {
		return err
	}
	for _, d := range slices.Concat(matches(root, "domain"), matches(root, "domain", "?")) {
		entries, err := os.ReadDir(filepath.Join(root, d))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() && len(e.Name()) > 1 {
				if err := listUsers(root, filepath.Join(d, e.Name()), e.Name(), set); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// listUsers puts the users below one directory into the set.
func listUsers(root, top, domain string, set map[string]bool) error {
	for _, t := range append(matches(root, top, "user"), matches(root, top, "?", "user")...) {
		entries, err := os.ReadDir(filepath.Join(root, t))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !e.IsDir() {
				continue
			}
			u := strings.ReplaceAll(e.Name(), "^", ".")
			if domain != "" {
				u += "@" + domain
			}
			set[u] = true
		}
	}
	return nil
}
