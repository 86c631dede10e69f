"""Text that is no number, date or time is not taken for one. Cells of real tables, and of kinds that look alike."""

import numpy as np
import pytest

from mtlrun.data.notation import recognise

ORDINARY: dict[str, list[str]] = {
    # codes of places and things
    "zip codes, US": ["02134", "90210-1234", "10001", "60614-0001"],
    "zip codes, UK": ["SW1A 1AA", "M1 1AE", "B33 8TH", "CR2 6XH"],
    "zip codes, Canada": ["K1A 0B6", "H0H 0H0", "V6B 4Y8"],
    "zip codes, Netherlands": ["1012 AB", "3511 CE", "2595 BM"],
    "telephone, US": ["555-123-4567", "(212) 555-0187", "555-987-6543"],
    "telephone, Germany": ["030 123456", "0170 1234567", "089 55512"],
    "telephone, Poland": ["501 234 567", "602 345 678", "703 456 789"],
    "telephone, abroad": ["+49 30 123456", "+33 1 23 45 67", "+1 212 5550187"],
    "versions": ["1.2.3", "1.10.0", "2.0.1", "10.4.12"],
    "versions with v": ["v1.2", "v1.3", "v2.0"],
    "addresses": ["10.0.0.1", "192.168.1.17", "172.16.254.3"],
    "hardware addresses": ["00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5F", "A0:1A:2B:3C:4D:5F"],
    "isbn": ["978-3-16-148410-0", "978-0-306-40615-7", "978-1-4028-9462-6"],
    "product codes": ["12A", "13A", "14A", "15A"],
    "product codes, apart": ["AB-1234", "AB-1235", "CD-0001"],
    "bra sizes": ["34B", "36C", "32A", "36B"],
    "seats": ["1A", "1B", "12C", "30F"],
    "identifiers": ["ID1", "ID2", "ID3", "ID4"],
    "rows": ["row 1", "row 2", "row 3"],
    "quarters": ["Q1", "Q2", "Q3", "Q4"],
    "quarters of years": ["2020 Q1", "2020 Q2", "2021 Q3"],
    "seasons": ["2019/20", "2020/21", "2021/22"],
    "seasons like months": ["2009/10", "2010/11", "2011/12"],
    "seasons like months, some not": ["1999-00", "2008-09", "2009-10", "2010-11", "2011-12"],
    "social security": ["123-45-6789", "987-65-4320", "111-22-3333"],
    "vins": ["1HGCM82633A004352", "JH4TB2H26CC000000", "5YJSA1E26HF000337"],
    "hex": ["0x1F", "0x2A", "0xFF"],
    "colours": ["#ff0000", "#00ff00", "#0000ff"],
    "coordinates": ["52°31'N", "48°51'N", "40°42'N"],
    "coordinate pairs": ["52.52, 13.40", "48.86, 2.35", "40.71, -74.01"],
    # groups of numbers
    "ages": ["18-24", "25-34", "35-44", "65+"],
    "ages, open": ["50-", "55-", "60-", "65-"],
    "ranges with words": ["<10", "10-20", ">20"],
    "brackets": ["(0,10]", "(10,20]", "(20,30]"],
    "ranks": ["1st", "2nd", "3rd", "4th"],
    "numbered": ["(1)", "(2)", "(3)"],
    "several answers": ["1,2", "1,3", "1,2,3", "2"],
    "several answers, semicolons": ["1;2", "2;3", "1"],
    "fractions": ["1/2", "3/4", "1/4"],
    "scores": ["3:1", "0:0", "12:9"],
    "sizes": ["10x20", "20x30", "30x40"],
    "blood pressure": ["120/80", "135/90", "110/70"],
    "grades": ["A+", "A-", "B+", "C"],
    "credit grades": ["A1", "A2", "B4", "C3"],
    "durations in words": ["1 h 20 min", "2 h", "45 min"],
    "two units": ["12 kg", "500 g", "3 kg"],
    "terms": ["36 months", "60 months"],
    "prices with words": ["from $5", "from $6", "from $7"],
    "chemical formulas": ["H2O", "CO2", "C6H12O6"],
    "roman": ["I", "II", "IV", "X"],
    # real tables: lending, storms, msleep, flights
    "sub grades": ["B1", "C4", "A3", "D2", "E5"],
    "employment": ["emp_10_or_more", "emp_1", "emp_2", "emp_lt_1"],
    "sleepers": ["Acinonyx", "Aotus", "Bos", "Bradypus"],
    "tail numbers": ["N14228", "N24211", "N619AA", "N804JB"],
    "model names": ["Mazda RX4", "Datsun 710", "Hornet 4 Drive", "Fiat 128"],
    "names": ["Jan", "May", "April", "June"],
    "months": ["Jan", "Feb", "Mar"],
    "weekdays": ["Mon", "Tue", "Wed"],
    "yes and no": ["yes", "no", "Yes "],
    "sentences": ["It was in 1999.", "He paid $5.", "At 18:57 they left"],
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_is_not_recognised(name: str) -> None:
    cells = ORDINARY[name]
    assert recognise(cells) == []
    assert recognise(cells, np.arange(1, len(cells) + 1)) == []
