package addressbook

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// StoreOptions change where [NewStore] keeps its marks. The zero value works.
type StoreOptions struct {
	// KeyField holds an entry's key; empty means userfield19. It must be one of
	// userfield01 to userfield19: the twentieth belongs to Open-Xchange.
	KeyField appsuite.Column
	// MarkField holds the mark of a book that is to go; empty means userfield18.
	MarkField appsuite.Column
}

// NewStore makes a [Store] of a session of the service account. The account
// needs the module permissions for contacts and for editing public folders. It
// should be used for nothing else: folders that it made and that are empty
// inside our containers count as ours.
func NewStore(s *appsuite.Session, opts *StoreOptions) (Store, error) {
	st := &oxStore{session: s, key: appsuite.UserField19, mark: appsuite.UserField18}
	if opts != nil && opts.KeyField != "" {
		st.key = opts.KeyField
	}
	if opts != nil && opts.MarkField != "" {
		st.mark = opts.MarkField
	}
	for _, c := range []appsuite.Column{st.key, st.mark} {
		if n := c.Number(); n < 571 || n > 589 {
			return nil, fmt.Errorf("addressbook: field %q: expected userfield01 to userfield19", string(c))
		}
	}
	if st.key == st.mark {
		return nil, fmt.Errorf("addressbook: field %q for both key and mark", string(st.key))
	}
	return st, nil
}

type oxStore struct {
	session   *appsuite.Session
	key, mark appsuite.Column
}

// columns are those that the books use.
func (s *oxStore) columns() []appsuite.Column {
	return []appsuite.Column{
		appsuite.DisplayName, appsuite.GivenName, appsuite.FamilyName, appsuite.Email1,
		appsuite.PhoneBusiness1, appsuite.Company, appsuite.Department, s.key, s.mark,
	}
}

func (s *oxStore) fields(e Entry) appsuite.Fields {
	return appsuite.Fields{
		appsuite.DisplayName: e.DisplayName, appsuite.GivenName: e.GivenName, appsuite.FamilyName: e.FamilyName,
		appsuite.Email1: e.Mail, appsuite.PhoneBusiness1: e.Phone,
		appsuite.Company: e.School, appsuite.Department: e.Class,
		s.key: e.Key, s.mark: e.Mark,
	}
}

func (s *oxStore) entry(c appsuite.Contact) Entry {
	e := Entry{
		Key:         c.Fields[s.key],
		DisplayName: c.Fields[appsuite.DisplayName],
		GivenName:   c.Fields[appsuite.GivenName],
		FamilyName:  c.Fields[appsuite.FamilyName],
		Mail:        c.Fields[appsuite.Email1],
		Phone:       c.Fields[appsuite.PhoneBusiness1],
		School:      c.Fields[appsuite.Company],
		Class:       c.Fields[appsuite.Department],
		Mark:        c.Fields[s.mark],
	}
	for _, m := range c.Members {
		e.Members = append(e.Members, Member{Name: m.DisplayName, Mail: m.Mail})
	}
	sortMembers(e.Members)
	return e
}

func oxMembers(members []Member) []appsuite.Member {
	var out []appsuite.Member
	for _, m := range members { // independent addresses: nothing dangles, nothing else shows
		out = append(out, appsuite.Member{DisplayName: m.Name, Mail: m.Mail})
	}
	return out
}

func (s *oxStore) Load(ctx context.Context) (Snapshot, error) {
	me, err := s.session.Me(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	out := Snapshot{Context: s.session.Context(), Self: me.ID, Admin: me.Admin}
	for u, err := range s.session.Users(ctx) {
		if err != nil {
			return Snapshot{}, err
		}
		out.Users = append(out.Users, User{ID: u.ID, Login: u.Login, Mail: u.Mail})
	}
	if !slices.ContainsFunc(out.Users, func(u User) bool { return u.ID == out.Self }) {
		return Snapshot{}, errors.New("the list of users does not have the service account in it")
	}
	for g, err := range s.session.Groups(ctx) {
		if err != nil {
			return Snapshot{}, err
		}
		out.Groups = append(out.Groups, Group{ID: int(g.ID), Name: g.Name, Members: g.Members})
	}
	return s.folders(ctx, out, nil, nil)
}

func (s *oxStore) Reload(ctx context.Context, old Snapshot, touched []string) (Snapshot, error) {
	known := map[string][]Stored{}
	for _, f := range old.Folders {
		known[f.ID] = f.Entries
	}
	return s.folders(ctx, old, known, touched)
}

// folders reads the folders and, except of those known and not touched, their
// entries.
func (s *oxStore) folders(ctx context.Context, out Snapshot, known map[string][]Stored, touched []string) (Snapshot,
	error) {
	out.Folders = nil
	var read []appsuite.FolderID
	for f, err := range s.session.VisibleFolders(ctx) {
		if err != nil {
			return Snapshot{}, err
		}
		if f.Type != appsuite.PublicType || f.ID.Same(appsuite.GlobalAddressBook) {
			continue
		}
		folder := Folder{
			ID: string(f.ID.Plain()), Parent: string(f.Parent.Plain()), Title: f.Title,
			CreatedBy: f.CreatedBy, Permissions: permissionsOf(f.Permissions),
		}
		if folder.CreatedBy == out.Self {
			entries, ok := known[folder.ID]
			if !ok || slices.Contains(touched, folder.ID) {
				read = append(read, f.ID)
			}
			folder.Entries = entries
		}
		out.Folders = append(out.Folders, folder)
	}
	index := map[string]int{}
	for i, f := range out.Folders {
		index[f.ID] = i
	}
	vanished := map[string]bool{}
	for l, err := range s.session.Listings(ctx, read, append(s.columns(), appsuite.DistributionList)...) {
		if err != nil {
			return Snapshot{}, err
		}
		id := string(l.Folder.Plain())
		if errors.Is(l.Err, appsuite.ErrNotFound) {
			vanished[id] = true
			continue
		}
		if l.Err != nil {
			return Snapshot{}, l.Err
		}
		entries := make([]Stored, 0, len(l.Contacts))
		for _, c := range l.Contacts {
			e := s.entry(c)
			if c.CreatedBy != out.Self { // a copy made by hand has our key, too
				e.Key = ""
			}
			entries = append(entries, Stored{ID: string(c.ID), Modified: int64(c.Modified), Entry: e})
		}
		out.Folders[index[id]].Entries = entries
	}
	out.Folders = slices.DeleteFunc(out.Folders, func(f Folder) bool { return vanished[f.ID] })
	return out, nil
}

func permissionsOf(in []appsuite.Permission) []Permission {
	var out []Permission
	for _, p := range in {
		right := Other
		switch p.Rights {
		case appsuite.SeeOnly():
			right = SeeOnly
		case appsuite.ReadOnly():
			right = ReadOnly
		case appsuite.Owner():
			right = Owner
		}
		out = append(out, Permission{Entity: p.Entity.ID, Group: p.Entity.Group, Right: right})
	}
	sortPermissions(out)
	return out
}

func oxPermissions(in []Permission) []appsuite.Permission {
	if in == nil {
		return nil
	}
	out := make([]appsuite.Permission, 0, len(in))
	for _, p := range in {
		var rights appsuite.Rights
		switch p.Right {
		case SeeOnly:
			rights = appsuite.SeeOnly()
		case ReadOnly:
			rights = appsuite.ReadOnly()
		case Owner:
			rights = appsuite.Owner()
		}
		out = append(out, appsuite.Permission{Entity: appsuite.Entity{ID: p.Entity, Group: p.Group}, Rights: rights})
	}
	return out
}

func (s *oxStore) Write(ctx context.Context, ops []Op) ([]Result, error) {
	requests := make([]appsuite.Op, len(ops))
	for i, op := range ops {
		var err error
		if requests[i], err = s.request(op); err != nil {
			return nil, err // before anything is sent
		}
	}
	answers, err := s.session.Write(ctx, requests)
	results := make([]Result, len(answers))
	for i, a := range answers {
		results[i] = result(ops[i], a)
	}
	return results, err
}

func (s *oxStore) request(op Op) (appsuite.Op, error) {
	switch op := op.(type) {
	case CreateFolder:
		return appsuite.CreateFolder{Parent: appsuite.FolderID(op.Parent), Title: op.Title,
			Permissions: oxPermissions(op.Permissions)}, nil
	case UpdateFolder:
		return appsuite.UpdateFolder{ID: appsuite.FolderID(op.ID), Parent: appsuite.FolderID(op.Parent), Title: op.Title,
			Permissions: oxPermissions(op.Permissions)}, nil
	case DeleteFolder:
		return appsuite.DeleteFolder{ID: appsuite.FolderID(op.ID)}, nil
	case AddEntry:
		return appsuite.CreateContact{Folder: appsuite.FolderID(op.Folder), Fields: s.fields(op.Entry),
			List: op.Entry.IsList(), Members: oxMembers(op.Entry.Members)}, nil
	case ChangeEntry:
		u := appsuite.UpdateContact{
			Folder: appsuite.FolderID(op.Folder), ID: appsuite.ContactID(op.Before.ID),
			Timestamp: appsuite.Timestamp(op.Before.Modified),
			Fields:    appsuite.Fields{},
		}
		before := s.fields(op.Before.Entry)
		for col, text := range s.fields(op.After) {
			if before[col] != text {
				u.Fields[col] = text
			}
		}
		if op.After.IsList() && !slices.Equal(op.Before.Members, op.After.Members) {
			u.Members = oxMembers(op.After.Members)
		}
		return u, nil
	case DropEntry:
		return appsuite.DeleteContact{Folder: appsuite.FolderID(op.Folder), ID: appsuite.ContactID(op.Entry.ID),
			Timestamp: appsuite.Timestamp(op.Entry.Modified)}, nil
	}
	return nil, fmt.Errorf("addressbook: unknown operation %T", op)
}

func result(op Op, a appsuite.Result) Result {
	r := Result{ID: string(a.Contact), Err: a.Err}
	switch op.(type) {
	case CreateFolder:
		r.ID = string(a.Folder.Plain())
		if errors.Is(a.Err, appsuite.ErrDuplicate) {
			r.Err = fmt.Errorf("%w: %w", ErrExists, a.Err)
		}
	case DeleteFolder, DropEntry:
		if errors.Is(a.Err, appsuite.ErrNotFound) {
			r.Err = nil // gone is what was asked for
		}
	}
	return r
}

func (s *oxStore) Fill(ctx context.Context, folder string, people []Entry) ([]Result, error) {
	contacts := make([]appsuite.Contact, len(people))
	for i, e := range people {
		contacts[i].Fields = s.fields(e)
	}
	answers, err := s.session.ImportCSV(ctx, appsuite.FolderID(folder), s.columns(), contacts)
	results := make([]Result, len(answers))
	for i, a := range answers {
		results[i] = Result{ID: string(a.Contact), Err: a.Err}
	}
	return results, err
}
