package state

import "slices"

// PersonalData stands for what a user owns beyond the account. Contacts and
// folders are not here but in the HTTP API's store. copyUser copies
// Appointments, Tasks, Files and DriveBytes, neither SharedFiles nor UISettings.
type PersonalData struct {
	Appointments, Tasks, Files []string
	DriveBytes                 int64
	// SharedFiles lie in public folders; deleting the user hands them to whoever
	// inherits.
	SharedFiles []string
	UISettings  string
}

func (p PersonalData) Clone() PersonalData {
	p.Appointments, p.Tasks, p.Files = slices.Clone(p.Appointments), slices.Clone(p.Tasks), slices.Clone(p.Files)
	p.SharedFiles = slices.Clone(p.SharedFiles)
	return p
}

func (p PersonalData) copied() PersonalData {
	p = p.Clone()
	p.SharedFiles, p.UISettings = nil, ""
	return p
}

func (p *PersonalData) inherit(from PersonalData) {
	p.SharedFiles = append(slices.Clone(p.SharedFiles), from.SharedFiles...)
}
