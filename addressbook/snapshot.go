package addressbook

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Snapshot is what a context has, as far as the books are concerned.
type Snapshot struct {
	Context schoolmail.ContextID
	Self    schoolmail.UserID // user id of the service account
	Admin   schoolmail.UserID // user id of the context's administrator; 0: unknown
	Users   []User
	Groups  []Group
	Folders []Folder // all contact folders that the service account sees below the public folders
}

// User is a user of the context.
type User struct {
	ID    schoolmail.UserID
	Login string // empty where the service account may not see it
	Mail  string
}

// Group is a group of the context.
type Group struct {
	ID      int
	Name    string
	Members []schoolmail.UserID
}

// Folder is a contact folder.
type Folder struct {
	ID          string
	Parent      string // [PublicFolder] at the top
	Title       string
	CreatedBy   schoolmail.UserID
	Permissions []Permission // sorted by entity; nil only in a plan: leave as it is
	Entries     []Stored     // of folders that the service account made; otherwise nil
}

// PublicFolder is the id of the folder above all books.
const PublicFolder = "2"

// Stored is an entry as the folder has it.
type Stored struct {
	ID       string
	Modified int64 // for the lock: milliseconds UTC
	Entry
}

// Permission is what a user or group may do in a folder.
type Permission struct {
	Entity int
	Group  bool // group 0 are all users
	Right  Right
}

// Right is what the books use of Open-Xchange's rights.
type Right string

// The rights.
const (
	SeeOnly  Right = "see"   // the folder, nothing in it
	ReadOnly Right = "read"  // everything in it
	Owner    Right = "owner" // everything; the service account
	Other    Right = "other" // something that this package never grants
)

func sortPermissions(p []Permission) {
	slices.SortFunc(p, func(a, b Permission) int {
		if a.Group != b.Group {
			if a.Group {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Right, b.Right))
	})
}

// compareIDs orders numeric ids by number and others after them by text.
func compareIDs(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Or(cmp.Compare(x, y), strings.Compare(a, b))
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}
