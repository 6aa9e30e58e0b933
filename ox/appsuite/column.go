package appsuite

import (
	"fmt"
	"slices"
)

// Column names a field of a contact, as in OX's JSON. Text fields hold their
// text; dates are written "2006-01-02", numbers in decimal, flags "true". See
// [Columns] for all.
type Column string

// The columns that address books are made of. All others can be used by their
// JSON name, e.g. Column("room_number").
const (
	DisplayName Column = "display_name"
	GivenName   Column = "first_name"
	FamilyName  Column = "last_name"
	MiddleName  Column = "second_name"
	Suffix      Column = "suffix"
	Title       Column = "title"
	Nickname    Column = "nickname"
	Birthday    Column = "birthday"

	Email1  Column = "email1" // checked by OX: refused if it is no address
	Email2  Column = "email2"
	Email3  Column = "email3"
	Company Column = "company"

	Department Column = "department"
	Position   Column = "position"
	Profession Column = "profession"
	RoomNumber Column = "room_number"
	Note       Column = "note"
	URL        Column = "url"

	PhoneBusiness1 Column = "telephone_business1"
	PhoneBusiness2 Column = "telephone_business2"
	PhoneHome1     Column = "telephone_home1"
	Mobile1        Column = "cellular_telephone1"
	Mobile2        Column = "cellular_telephone2"

	StreetBusiness     Column = "street_business"
	PostalCodeBusiness Column = "postal_code_business"
	CityBusiness       Column = "city_business"
	CountryBusiness    Column = "country_business"

	Categories Column = "categories"

	// UID is OX's own identifier of a contact (a vCard's UID). It can be set
	// when a contact is made; OX does not keep it unique.
	UID Column = "uid"

	// UserField01 to UserField19 are free for programs: a stable key belongs
	// here. userfield20 is used by OX's importer and has no constant.
	UserField01 Column = "userfield01"
	UserField02 Column = "userfield02"
	UserField03 Column = "userfield03"
	UserField04 Column = "userfield04"
	UserField05 Column = "userfield05"
	UserField06 Column = "userfield06"
	UserField07 Column = "userfield07"
	UserField08 Column = "userfield08"
	UserField09 Column = "userfield09"
	UserField10 Column = "userfield10"
	UserField11 Column = "userfield11"
	UserField12 Column = "userfield12"
	UserField13 Column = "userfield13"
	UserField14 Column = "userfield14"
	UserField15 Column = "userfield15"
	UserField16 Column = "userfield16"
	UserField17 Column = "userfield17"
	UserField18 Column = "userfield18"
	UserField19 Column = "userfield19"

	// DistributionList asks for the members of distribution lists; they come in
	// [Contact.Members], not in the fields.
	DistributionList Column = "distribution_list"
)

type columnKind uint8

const (
	textColumn    columnKind = iota
	dateColumn               // milliseconds at 00:00 UTC
	numberColumn             // a whole number
	flagColumn               // true or false
	structColumn             // not a field: members of a list
	managedColumn            // set by the server
)

type columnInfo struct {
	name   Column
	number int
	title  string // in OX's CSV; empty: none
	limit  int    // characters; 0: no limit known
	kind   columnKind
}

// columnTable holds every column this package knows, by number. Numbers and CSV
// titles are those of the HTTP API documentation and of OX's own title mapping;
// the limits are the widths of OX's contacts table.
var columnTable = buildColumns()

func buildColumns() []columnInfo {
	t := []columnInfo{
		{"id", 1, "", 0, managedColumn},
		{"created_by", 2, "", 0, managedColumn},
		{"modified_by", 3, "", 0, managedColumn},
		{"creation_date", 4, "", 0, managedColumn},
		{"last_modified", 5, "", 0, managedColumn},
		{"last_modified_utc", 6, "", 0, managedColumn},
		{"folder_id", 20, "", 0, managedColumn},
		{Categories, 100, "Categories", 1024, textColumn},
		{"private_flag", 101, "private", 0, flagColumn},
		{"color_label", 102, "", 0, numberColumn},
		{UID, 223, "", 255, textColumn},
		{DisplayName, 500, "Display name", 320, textColumn},
		{GivenName, 501, "Given name", 128, textColumn},
		{FamilyName, 502, "Sur name", 128, textColumn},
		{MiddleName, 503, "Middle name", 128, textColumn},
		{Suffix, 504, "Suffix", 64, textColumn},
		{Title, 505, "Title", 64, textColumn},
		{"street_home", 506, "Street home", 256, textColumn},
		{"postal_code_home", 507, "Postal code home", 64, textColumn},
		{"city_home", 508, "City home", 64, textColumn},
		{"state_home", 509, "State home", 64, textColumn},
		{"country_home", 510, "Country home", 64, textColumn},
		{Birthday, 511, "Birthday", 0, dateColumn},
		{"marital_status", 512, "Marital status", 64, textColumn},
		{"number_of_children", 513, "Number of children", 64, textColumn},
		{Profession, 514, "Profession", 64, textColumn},
		{Nickname, 515, "Nickname", 64, textColumn},
		{"spouse_name", 516, "Spouse name", 64, textColumn},
		{"anniversary", 517, "Anniversary", 0, dateColumn},
		{Note, 518, "Note", 5680, textColumn},
		{Department, 519, "Department", 128, textColumn},
		{Position, 520, "Position", 128, textColumn},
		{"employee_type", 521, "Employee type", 64, textColumn},
		{RoomNumber, 522, "Room number", 64, textColumn},
		{StreetBusiness, 523, "Street business", 256, textColumn},
		{"user_id", 524, "", 0, managedColumn},
		{PostalCodeBusiness, 525, "Postal code business", 64, textColumn},
		{CityBusiness, 526, "City business", 128, textColumn},
		{"state_business", 527, "State business", 64, textColumn},
		{CountryBusiness, 528, "Country business", 64, textColumn},
		{"number_of_employees", 529, "Employee ID", 64, textColumn},
		{"sales_volume", 530, "Sales volume", 64, textColumn},
		{"tax_id", 531, "Tax id", 128, textColumn},
		{"commercial_register", 532, "Commercial register", 64, textColumn},
		{"branches", 533, "Branches", 64, textColumn},
		{"business_category", 534, "Business category", 64, textColumn},
		{"info", 535, "Info", 0, textColumn},
		{"manager_name", 536, "Manager's name", 64, textColumn},
		{"assistant_name", 537, "Assistant's name", 64, textColumn},
		{"street_other", 538, "Street other", 256, textColumn},
		{"city_other", 539, "City other", 64, textColumn},
		{"postal_code_other", 540, "Postal code other", 64, textColumn},
		{"country_other", 541, "Country other", 64, textColumn},
		{PhoneBusiness1, 542, "Telephone business 1", 64, textColumn},
		{PhoneBusiness2, 543, "Telephone business 2", 128, textColumn},
		{"fax_business", 544, "FAX business", 64, textColumn},
		{"telephone_callback", 545, "Telephone callback", 64, textColumn},
		{"telephone_car", 546, "Telephone car", 64, textColumn},
		{"telephone_company", 547, "Telephone company", 64, textColumn},
		{PhoneHome1, 548, "Telephone home 1", 64, textColumn},
		{"telephone_home2", 549, "Telephone home 2", 64, textColumn},
		{"fax_home", 550, "FAX home", 64, textColumn},
		{Mobile1, 551, "Cellular telephone 1", 64, textColumn},
		{Mobile2, 552, "Cellular telephone 2", 64, textColumn},
		{"telephone_other", 553, "Telephone other", 64, textColumn},
		{"fax_other", 554, "FAX other", 64, textColumn},
		{Email1, 555, "Email 1", 256, textColumn},
		{Email2, 556, "Email 2", 256, textColumn},
		{Email3, 557, "Email 3", 256, textColumn},
		{URL, 558, "URL", 128, textColumn},
		{"telephone_isdn", 559, "Telephone ISDN", 64, textColumn},
		{"telephone_pager", 560, "Telephone pager", 64, textColumn},
		{"telephone_primary", 561, "Telephone primary", 64, textColumn},
		{"telephone_radio", 562, "Telephone radio", 64, textColumn},
		{"telephone_telex", 563, "Telephone telex", 64, textColumn},
		{"telephone_ttytdd", 564, "Telephone TTY/TDD", 64, textColumn},
		{"instant_messenger1", 565, "Instantmessenger 1", 64, textColumn},
		{"instant_messenger2", 566, "Instantmessenger 2", 64, textColumn},
		{"telephone_ip", 567, "Telephone IP", 64, textColumn},
		{"telephone_assistant", 568, "Telephone assistant", 64, textColumn},
		{Company, 569, "Company", 512, textColumn},
	}
	for i := 1; i <= 20; i++ {
		t = append(t, columnInfo{Column(fmt.Sprintf("userfield%02d", i)), 570 + i, fmt.Sprintf("Dynamic Field %d", i), 64,
			textColumn})
	}
	return append(t,
		columnInfo{DistributionList, 592, "Distribution list", 0, structColumn},
		columnInfo{"number_of_distribution_list", 594, "", 0, managedColumn},
		columnInfo{"state_other", 598, "State other", 64, textColumn},
		columnInfo{"file_as", 599, "", 320, textColumn},
		columnInfo{"mark_as_distributionlist", 602, "", 0, managedColumn},
		columnInfo{"default_address", 605, "Default address", 0, numberColumn},
		columnInfo{"yomiFirstName", 610, "", 128, textColumn},
		columnInfo{"yomiLastName", 611, "", 128, textColumn},
		columnInfo{"yomiCompany", 612, "", 512, textColumn},
		columnInfo{"addressHome", 613, "", 512, textColumn},
		columnInfo{"addressBusiness", 614, "", 512, textColumn},
		columnInfo{"addressOther", 615, "", 512, textColumn},
	)
}

var columnsByName = func() map[Column]columnInfo {
	m := make(map[Column]columnInfo, len(columnTable))
	for _, c := range columnTable {
		m[c.name] = c
	}
	return m
}()

// Columns returns all columns that can be written, in the order of OX's numbers.
func Columns() []Column {
	var out []Column
	for _, c := range columnTable {
		if c.kind != managedColumn && c.kind != structColumn {
			out = append(out, c.name)
		}
	}
	return slices.Clip(out)
}

// Known reports whether c is a column of OX's contacts.
func (c Column) Known() bool { _, ok := columnsByName[c]; return ok }

// Number is OX's number of the column, 0 if it is not known.
func (c Column) Number() int { return columnsByName[c].number }

// CSVTitle is the title of the column in OX's CSV files, exactly as OX expects
// it (titles are case-sensitive); empty if the column is not part of them.
func (c Column) CSVTitle() string { return columnsByName[c].title }

// Limit is the number of characters the column holds, 0 if no limit is known.
// OX refuses longer values with [ErrTooLong]; a CSV import cuts them silently.
func (c Column) Limit() int { return columnsByName[c].limit }
