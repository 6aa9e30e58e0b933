package appsuite

import (
	"fmt"

	"github.com/ictmedia/schoolmail"
)

// FolderLevel says what an entity may do with a folder itself. Each level
// includes those before it.
type FolderLevel uint8

// The folder levels.
const (
	FolderNone       FolderLevel = iota // does not see it
	FolderSee                           // sees it
	FolderCreate                        // may create objects in it
	FolderSubfolders                    // may create subfolders, too
)

// ObjectLevel says which objects of a folder an entity may read, change or delete.
type ObjectLevel uint8

// The object levels.
const (
	ObjectsNone ObjectLevel = iota
	ObjectsOwn              // those it created
	ObjectsAll
)

// Rights is what an entity may do in a folder. Values are compared with ==.
//
// OX has two notations for "all" (its maximum and the level below) that allow
// the same; both are read as the same Rights.
type Rights struct {
	Folder FolderLevel
	Read   ObjectLevel
	Write  ObjectLevel
	Delete ObjectLevel
	Admin  bool // may change title and permissions, and delete the folder
}

// NoRights lets an entity see nothing.
func NoRights() Rights { return Rights{} }

// SeeOnly lets an entity see the folder but no object in it: for folders that
// only hold others.
func SeeOnly() Rights { return Rights{Folder: FolderSee} }

// ReadOnly lets an entity read everything and change nothing: for address books.
func ReadOnly() Rights { return Rights{Folder: FolderSee, Read: ObjectsAll} }

// Author lets an entity do everything but administer the folder.
func Author() Rights {
	return Rights{Folder: FolderSubfolders, Read: ObjectsAll, Write: ObjectsAll, Delete: ObjectsAll}
}

// AdminOnly is what OX itself gives back to the creator of a public folder when a
// permission list leaves the creator out: the right to administer, without seeing.
func AdminOnly() Rights { return Rights{Admin: true} }

// Owner lets an entity do everything.
func Owner() Rights {
	r := Author()
	r.Admin = true
	return r
}

// Includes reports whether r allows everything that other allows.
func (r Rights) Includes(other Rights) bool {
	return r.Folder >= other.Folder && r.Read >= other.Read && r.Write >= other.Write &&
		r.Delete >= other.Delete && (r.Admin || !other.Admin)
}

// Max returns what an entity may do that holds both r and other, for instance
// for itself and through a group.
func (r Rights) Max(other Rights) Rights {
	return Rights{
		Folder: max(r.Folder, other.Folder), Read: max(r.Read, other.Read),
		Write: max(r.Write, other.Write), Delete: max(r.Delete, other.Delete),
		Admin: r.Admin || other.Admin,
	}
}

// String names a preset, or lists the levels.
func (r Rights) String() string {
	switch r {
	case NoRights():
		return "none"
	case SeeOnly():
		return "see only"
	case ReadOnly():
		return "read only"
	case Author():
		return "author"
	case AdminOnly():
		return "admin only"
	case Owner():
		return "owner"
	}
	folder := [...]string{"none", "see", "create", "subfolders"}
	object := [...]string{"none", "own", "all"}
	s := fmt.Sprintf("folder %s, read %s, write %s, delete %s", folder[min(r.Folder, FolderSubfolders)],
		object[min(r.Read, ObjectsAll)], object[min(r.Write, ObjectsAll)], object[min(r.Delete, ObjectsAll)])
	if r.Admin {
		s += ", admin"
	}
	return s
}

// Entity is a user or group of the context that holds a permission. Entity
// numbers belong to one context; look them up with [Session.Users] and
// [Session.Groups] at every run.
type Entity struct {
	ID    int
	Group bool
}

// UserEntity is the user of that id.
func UserEntity(id schoolmail.UserID) Entity { return Entity{ID: int(id)} }

// GroupEntity is the group of that id.
func GroupEntity(id GroupID) Entity { return Entity{ID: int(id), Group: true} }

// Everybody is the virtual group of all users of the context, guests excepted.
func Everybody() Entity { return Entity{Group: true} }

func (e Entity) String() string {
	switch {
	case e == Everybody():
		return "everybody"
	case e.Group:
		return fmt.Sprintf("group %d", e.ID)
	}
	return fmt.Sprintf("user %d", e.ID)
}

// Permission is what one entity may do.
type Permission struct {
	Entity Entity
	Rights Rights
}

// Bit positions of the five levels in OX's packed number.
const (
	readShift, writeShift, deleteShift, adminShift = 7, 14, 21, 28

	levelMask  = 0x7f
	maximum    = 64
	ownerBits  = maximum | maximum<<readShift | maximum<<writeShift | maximum<<deleteShift | 1<<adminShift
	adminLevel = 1
)

// bits packs r. The owner gets OX's maximum, as in its own examples; otherwise
// the plain levels 1, 2 and 4 are used.
func (r Rights) bits() int {
	if r == Owner() {
		return ownerBits
	}
	folder := [...]int{0, 1, 2, 4}[min(r.Folder, FolderSubfolders)]
	level := func(l ObjectLevel) int { return int(min(l, ObjectsAll)) }
	b := folder | level(r.Read)<<readShift | level(r.Write)<<writeShift | level(r.Delete)<<deleteShift
	if r.Admin {
		b |= adminLevel << adminShift
	}
	return b
}

// rightsOf unpacks OX's number. Values between two levels count as the lower one.
func rightsOf(bits int) Rights {
	object := func(v int) ObjectLevel {
		switch {
		case v >= 2:
			return ObjectsAll
		case v == 1:
			return ObjectsOwn
		}
		return ObjectsNone
	}
	r := Rights{
		Read:   object(bits >> readShift & levelMask),
		Write:  object(bits >> writeShift & levelMask),
		Delete: object(bits >> deleteShift & levelMask),
		Admin:  bits>>adminShift&levelMask != 0,
	}
	switch f := bits & levelMask; {
	case f >= 4:
		r.Folder = FolderSubfolders
	case f >= 2:
		r.Folder = FolderCreate
	case f == 1:
		r.Folder = FolderSee
	}
	return r
}
