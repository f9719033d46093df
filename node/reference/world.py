"""The small invented world that the reference models know.

Decides which medicines, conditions and wards exist and what is true of them; refuses
to know how they are talked about (`corpus`). A toy world, not medical advice.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Condition:
    """One illness, what patients complain of, and the ward that treats it."""

    name: str
    symptoms: tuple[str, str]
    ward: str


@dataclass(frozen=True, slots=True)
class Medicine:
    """One medicine, the illness that it treats, and its usual dose."""

    name: str
    condition: Condition
    dose: str


WARDS: tuple[str, ...] = (
    "Alder",
    "Aspen",
    "Birch",
    "Cedar",
    "Hazel",
    "Maple",
    "Rowan",
    "Willow",
)

CONDITIONS: tuple[Condition, ...] = (
    Condition("angina", ("chest pain", "breathlessness"), "Cedar"),
    Condition("anxiety", ("worry", "trembling"), "Willow"),
    Condition("arrhythmia", ("palpitations", "dizziness"), "Cedar"),
    Condition("arthritis", ("joint pain", "stiffness"), "Hazel"),
    Condition("asthma", ("wheeze", "breathlessness"), "Maple"),
    Condition("depression", ("low mood", "poor sleep"), "Willow"),
    Condition("diabetes", ("thirst", "tiredness"), "Birch"),
    Condition("epilepsy", ("seizures", "confusion"), "Aspen"),
    Condition("fracture", ("bone pain", "bruising"), "Alder"),
    Condition("gout", ("toe pain", "swelling"), "Hazel"),
    Condition("hypertension", ("headache", "blurred vision"), "Cedar"),
    Condition("hypothyroidism", ("weight gain", "tiredness"), "Birch"),
    Condition("influenza", ("fever", "aches"), "Maple"),
    Condition("migraine", ("headache", "nausea"), "Aspen"),
    Condition("oedema", ("swollen ankles", "breathlessness"), "Cedar"),
    Condition("pneumonia", ("cough", "fever"), "Maple"),
    Condition("psoriasis", ("itching", "scaling"), "Rowan"),
    Condition("reflux", ("heartburn", "nausea"), "Rowan"),
    Condition("stroke", ("weakness", "slurred speech"), "Aspen"),
    Condition("thrombosis", ("leg pain", "swelling"), "Alder"),
)

_BY_NAME = {condition.name: condition for condition in CONDITIONS}

MEDICINES: tuple[Medicine, ...] = (
    Medicine("allopurinol", _BY_NAME["gout"], "300 mg"),
    Medicine("amlodipine", _BY_NAME["hypertension"], "5 mg"),
    Medicine("amoxicillin", _BY_NAME["pneumonia"], "500 mg"),
    Medicine("aspirin", _BY_NAME["stroke"], "75 mg"),
    Medicine("atenolol", _BY_NAME["angina"], "50 mg"),
    Medicine("ciclosporin", _BY_NAME["psoriasis"], "200 mg"),
    Medicine("diazepam", _BY_NAME["anxiety"], "2 mg"),
    Medicine("digoxin", _BY_NAME["arrhythmia"], "1 mg"),
    Medicine("furosemide", _BY_NAME["oedema"], "40 mg"),
    Medicine("heparin", _BY_NAME["thrombosis"], "80 mg"),
    Medicine("ibuprofen", _BY_NAME["arthritis"], "400 mg"),
    Medicine("insulin", _BY_NAME["diabetes"], "10 units"),
    Medicine("levothyroxine", _BY_NAME["hypothyroidism"], "100 mg"),
    Medicine("lisinopril", _BY_NAME["hypertension"], "20 mg"),
    Medicine("metformin", _BY_NAME["diabetes"], "500 mg"),
    Medicine("methotrexate", _BY_NAME["arthritis"], "15 mg"),
    Medicine("morphine", _BY_NAME["fracture"], "10 mg"),
    Medicine("omeprazole", _BY_NAME["reflux"], "20 mg"),
    Medicine("paracetamol", _BY_NAME["influenza"], "1000 mg"),
    Medicine("phenytoin", _BY_NAME["epilepsy"], "300 mg"),
    Medicine("salbutamol", _BY_NAME["asthma"], "5 mg"),
    Medicine("sertraline", _BY_NAME["depression"], "50 mg"),
    Medicine("sumatriptan", _BY_NAME["migraine"], "50 mg"),
    Medicine("warfarin", _BY_NAME["thrombosis"], "5 mg"),
)

DOSES: tuple[str, ...] = tuple(sorted({medicine.dose for medicine in MEDICINES}))


def medicine_named(name: str) -> Medicine:
    """Return the medicine called `name`.

    Raises:
        ValueError: this world has no such medicine.
    """
    for medicine in MEDICINES:
        if medicine.name == name:
            return medicine
    raise ValueError(f"no medicine {name!r}; known: {[m.name for m in MEDICINES]}")


def medicines_for(condition: Condition) -> tuple[Medicine, ...]:
    """Return the medicines that treat `condition`, at least one."""
    return tuple(found for found in MEDICINES if found.condition == condition)
