package addressbook

import (
	"context"

	"github.com/ictmedia/schoolmail"
)

// Store is what [Sync] needs of one context, as its service account sees it.
// [NewStore] makes one of an Open-Xchange session.
type Store interface {
	// Load reads users, groups and contact folders, and the entries of the
	// folders that the service account made.
	Load(ctx context.Context) (Snapshot, error)
	// Reload reads the folders again, and the entries of those folders that
	// are listed or not yet in the snapshot. Users and groups stay.
	Reload(ctx context.Context, old Snapshot, folders []string) (Snapshot, error)
	// Write carries out operations that do not depend on each other. There is
	// a result for each. The error is not nil only if some operations were not
	// sent or not answered; what happened to them is to be looked up.
	Write(ctx context.Context, ops []Op) ([]Result, error)
	// Fill puts people into a folder that is known to be empty, by CSV import.
	// If it fails, any of them may be there. Results tell of each.
	Fill(ctx context.Context, folder string, people []Entry) ([]Result, error)
}

// Op is an operation of [Store.Write].
type Op interface{ op() }

// The operations.
type (
	// CreateFolder makes a contact folder. The result has its id.
	CreateFolder struct {
		Parent      string
		Title       string
		Permissions []Permission
	}
	// UpdateFolder changes a folder; empty and nil fields stay as they are.
	UpdateFolder struct {
		ID          string
		Parent      string
		Title       string
		Permissions []Permission
	}
	// DeleteFolder removes a folder with everything in it.
	DeleteFolder struct{ ID string }
	// AddEntry makes an entry. The result has its id.
	AddEntry struct {
		Folder string
		Entry  Entry
	}
	// ChangeEntry changes an entry unless somebody else did since.
	ChangeEntry struct {
		Folder string
		Before Stored
		After  Entry
	}
	// DropEntry removes an entry unless somebody else changed it since.
	DropEntry struct {
		Folder string
		Entry  Stored
	}
)

func (CreateFolder) op() {}
func (UpdateFolder) op() {}
func (DeleteFolder) op() {}
func (AddEntry) op()     {}
func (ChangeEntry) op()  {}
func (DropEntry) op()    {}

// Result is what became of an [Op].
type Result struct {
	ID  string
	Err error
}

// Kind says why address books are not brought to what is desired. The kinds are
// themselves errors, so that callers ask with [errors.Is].
type Kind string

// The kinds.
const (
	// ErrExists is what a Store answers (wrapped) to [CreateFolder] when the parent
	// has a folder of that title already. It also matches [schoolmail.ErrConflict].
	ErrExists Kind = "folder exists, perhaps one that the service account may not see"
	// ErrNobody is what [Sync] answers if nobody has a place in any context, unless
	// [Rules.MaxGonePercent] is 100: the people were not read.
	ErrNobody Kind = "addressbook: nobody has a place in any context; nothing is done"
)

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// Is reports whether the kind is a special case of the target.
func (k Kind) Is(target error) bool { return k == ErrExists && target == schoolmail.ErrConflict }
