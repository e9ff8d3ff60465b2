// The page "admin".

const en = {
  title: "Admin",
  lead: "Keys, tenants, and how the service is.",
};

const ru: typeof en = {
  title: "Управление",
  lead: "Ключи, арендаторы и состояние службы.",
};

export const admin = { en, ru };
