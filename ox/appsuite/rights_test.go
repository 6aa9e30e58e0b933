package appsuite

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRightsBits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		bits   int
		rights Rights
		pack   int // what rights are sent as; 0: bits
	}{
		"nothing":                    {0, NoRights(), 0},
		"see only":                   {1, SeeOnly(), 0},
		"subfolders only":            {4, Rights{Folder: FolderSubfolders}, 0},
		"read own":                   {129, Rights{Folder: FolderSee, Read: ObjectsOwn}, 0},
		"read only":                  {257, ReadOnly(), 0},
		"open global address book":   {16641, Rights{Folder: FolderSee, Read: ObjectsAll, Write: ObjectsOwn}, 0},
		"closed global address book": {16384, Rights{Write: ObjectsOwn}, 0},
		"reviewer":                   {33025, Rights{Folder: FolderSee, Read: ObjectsAll, Write: ObjectsAll}, 0},
		"create, change own": {2113794, Rights{Folder: FolderCreate, Read: ObjectsAll, Write: ObjectsOwn,
			Delete: ObjectsOwn}, 0},
		"all objects, no subfolders": {4227330, Rights{Folder: FolderCreate, Read: ObjectsAll, Write: ObjectsAll,
			Delete: ObjectsAll}, 0},
		"author":                         {4227332, Author(), 0},
		"admin only":                     {268435456, AdminOnly(), 0},
		"admin who sees":                 {268435457, Rights{Folder: FolderSee, Admin: true}, 0},
		"admin who reads":                {268435713, Rights{Folder: FolderSee, Read: ObjectsAll, Admin: true}, 0},
		"owner":                          {403710016, Owner(), 0},
		"author and admin":               {272662788, Owner(), 403710016},
		"maximum without admin":          {135274560, Author(), 4227332},
		"level between two (see, odd 3)": {3, Rights{Folder: FolderCreate}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rightsOf(tc.bits); got != tc.rights {
				t.Errorf("%d is read as %v", tc.bits, got)
			}
			want := tc.pack
			if want == 0 {
				want = tc.bits
			}
			if got := tc.rights.bits(); got != want {
				t.Errorf("%v is sent as %d, want %d", tc.rights, got, want)
			}
		})
	}
}

func drawRights(t *rapid.T) Rights {
	object := rapid.Map(rapid.IntRange(0, 2), func(n int) ObjectLevel { return ObjectLevel(n) })
	return Rights{
		Folder: FolderLevel(rapid.IntRange(0, 3).Draw(t, "folder")),
		Read:   object.Draw(t, "read"), Write: object.Draw(t, "write"), Delete: object.Draw(t, "delete"),
		Admin: rapid.Bool().Draw(t, "admin"),
	}
}

func TestRightsProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, o := drawRights(t), drawRights(t)
		if got := rightsOf(r.bits()); got != r {
			t.Fatalf("%v is sent as %d and read back as %v", r, r.bits(), got)
		}
		m := r.Max(o)
		if !m.Includes(r) || !m.Includes(o) || (r.Includes(o) && m != r) {
			t.Fatalf("Max(%v, %v) = %v", r, o, m)
		}
		if r.String() == "" {
			t.Fatal("no text")
		}
	})
}
